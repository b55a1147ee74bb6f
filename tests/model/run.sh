#!/usr/bin/env bash
# run.sh [--quick] [NAME...] - checks rows of `configurations` with Spin, every state of each. Run it from anywhere; it
# works in a temporary folder.
#
# A row passes when Spin says what the row says: `pass` - no error, the whole state space seen; `assert` - an assertion
# fails; `hang` - somebody waits for ever (an invalid end state). The last line counts:
# N passed, N failed. Rows run two at a time and never use more than 2 GB each.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
MODELS=$PWD
JOBS=${VYRE_MODEL_JOBS:-2}
WORK=$(mktemp -d "${TMPDIR:-/tmp}/vyre-model.XXXXXX") || exit 1
trap 'rm -rf "$WORK"' EXIT
quick=0
names=()
for argument; do
	case $argument in
	--quick) quick=1 ;;
	-*)
		echo "run.sh does not know $argument. Fix: run.sh [--quick] [NAME...]" >&2
		exit 2
		;;
	*) names+=("$argument") ;;
	esac
done
command -v spin >/dev/null && command -v gcc >/dev/null || {
	echo "spin or gcc is missing. Fix: install the Debian packages spin and gcc" >&2
	exit 2
}

# check_row NAME MODEL WHEN MUST MACRO...: one line of output.
check_row() {
	local name=$1 model=$2 must=$4 folder=$WORK/$1 macros=() macro said='nothing' states seconds
	shift 4
	for macro; do macros+=("-D$macro"); done
	mkdir -p "$folder" && cd "$folder" || return 1
	SECONDS=0
	if ! spin -a "${macros[@]}" "$MODELS/$model.pml" >log 2>&1 ||
		! gcc -O2 -w -DCOLLAPSE -DMEMLIM=2000 -DSAFETY -o pan pan.c >>log 2>&1; then
		said='no model'
	else
		timeout 300 ./pan -m1000000 -n >log 2>&1
		if grep -q 'assertion violated' log; then
			said=assert
		elif grep -q 'invalid end state (at' log; then
			said=hang
		elif grep -q 'errors: 0' log && ! grep -qE 'max search depth too small|Search not completed|out of memory' log; then
			said=pass
		fi
	fi
	states=$(sed -nE 's/^ *([0-9]+) states, stored.*/\1/p' log)
	seconds=$SECONDS
	if [[ $said == "$must" ]]; then
		printf 'ok      %-22s %-7s %10s states %4s s\n' "$name" "$said" "${states:-0}" "$seconds"
	else
		printf 'FAILED  %-22s says %s, must say %s\n' "$name" "$said" "$must"
		tail -n 5 log | sed 's/^/    /'
	fi
}

wanted() {
	local name
	((${#names[@]})) || { ((!quick)) || [[ $1 == quick ]]; return; }
	for name in "${names[@]}"; do [[ $name == "$2" ]] && return; done
	return 1
}

while read -r name model when must macros; do
	[[ -z $name || $name == '#'* ]] && continue
	wanted "$when" "$name" || continue
	while (($(jobs -rp | wc -l) >= JOBS)); do wait -n; done
	# shellcheck disable=SC2086 # macros are words
	(check_row "$name" "$model" "$when" "$must" $macros) >"$WORK/$name.said" &
	echo "$name" >>"$WORK/order"
done <configurations
wait
[[ -f $WORK/order ]] || { echo "no such configuration" >&2; exit 2; }
while read -r name; do cat "$WORK/$name.said"; done <"$WORK/order" | tee "$WORK/all"
passed=$(grep -c '^ok ' "$WORK/all")
failed=$(grep -c '^FAILED' "$WORK/all")
echo "$passed passed, $failed failed"
((passed > 0 && failed == 0))
