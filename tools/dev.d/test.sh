# test.sh - everything CI runs, stage by stage. Part of tools/dev.
#
# A stage prints its name, what came of it and its seconds; its output is build/log/<stage>.log. Stages go on after a
# failure, except where a build is missing. The closing line sums every test of every stage:  N passed, N failed
TOTAL_PASSED=0
TOTAL_FAILED=0
export ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=halt_on_error=1

# report TEXT PASSED FAILED START
report() {
	TOTAL_PASSED=$((TOTAL_PASSED + $2))
	TOTAL_FAILED=$((TOTAL_FAILED + $3))
	printf '%-44s %5s ok %4s bad %8s s\n' "$1" "$2" "$3" "$(seconds_since "$4")"
}

# stage NAME TEXT COMMAND...: one thing that passes or fails.
stage() {
	local name=$1 text=$2 start
	shift 2
	start=$(date +%s%N)
	if run_logged "$name" "$@"; then
		report "$text" 1 0 "$start"
	else
		report "$text" 0 1 "$start"
		return 1
	fi
}

# stage_build PRESET TEXT TARGET...
stage_build() {
	local preset=$1 text=$2 start
	shift 2
	start=$(date +%s%N)
	if build_tree "$preset" "$@"; then
		report "$text" 1 0 "$start"
	else
		report "$text" 0 1 "$start"
		return 1
	fi
}

# stage_ctest PRESET TEXT ARGS...: counts ctest's own tests; no tests at all is a failure. ctest's `text` is one run of
# lit, which has a stage of its own, counted test by test.
stage_ctest() {
	local preset=$1 text=$2 start log=$LOG/ctest-$1.log failed all
	shift 2
	start=$(date +%s%N)
	ctest --test-dir "$(preset_dir "$preset")" -j "$JOBS" --timeout 600 --output-on-failure --no-tests=error -E '^text$' "$@" \
		>"$log" 2>&1 </dev/null
	read -r failed all < <(sed -nE 's/.*, ([0-9]+) tests? failed out of ([0-9]+).*/\1 \2/p' "$log")
	[[ -n ${all:-} ]] || failed=1 all=1
	((failed == 0)) || tail -n 40 "$log" | sed 's/^/  | /' >&2
	report "$text" $((all - failed)) "$failed" "$start"
}

# stage_lit PRESET TEXT: counts lit's tests.
stage_lit() {
	local preset=$1 text=$2 start log=$LOG/lit-$1.log passed failed
	start=$(date +%s%N)
	lit-22 -v -j "$JOBS" tests --param "build=$(preset_dir "$preset")" >"$log" 2>&1 </dev/null || local rc=$?
	passed=$(sed -nE 's/^ *(Passed|Expectedly Failed) *: *([0-9]+).*/\2/p' "$log" | awk '{n += $1} END {print n + 0}')
	failed=$(sed -nE 's/^ *(Failed|Unresolved|Timed Out|Unexpectedly Passed) *: *([0-9]+).*/\2/p' "$log" |
		awk '{n += $1} END {print n + 0}')
	((passed + failed > 0 && (${rc:-0} == 0 || failed > 0))) || failed=$((failed + 1))
	((failed == 0)) || tail -n 40 "$log" | sed 's/^/  | /' >&2
	report "$text" "$passed" "$failed" "$start"
}

stage_check() {
	local start
	start=$(date +%s%N)
	command_check
	report 'checks' "$CHECK_PASSED" "$CHECK_FAILED" "$start"
}

# Every ```sh block of README.md, line by line, as written.
stage_readme() {
	local start line passed=0 failed=0
	start=$(date +%s%N)
	: >"$LOG/readme.log"
	while read -r line; do
		printf '$ %s\n' "$line" >>"$LOG/readme.log"
		if VYRE_DEV_NESTED=1 bash -c "$line" >>"$LOG/readme.log" 2>&1 </dev/null; then
			passed=$((passed + 1))
		else
			failed=$((failed + 1))
			say "  failed: $line (build/log/readme.log)" >&2
			tail -n 12 "$LOG/readme.log" | sed 's/^/  | /' >&2
		fi
	done < <(awk '/^```sh$/ {on = 1; next} /^```/ {on = 0} on && NF && !/^#/' README.md)
	((passed + failed > 0)) || failed=1
	report "the README's commands" "$passed" "$failed" "$start"
}

# fuzz_one NAME SECONDS: one libFuzzer program, seeded with the tree's files of its kind.
fuzz_one() {
	local name=$1 corpus=$ROOT/build-fuzz/corpus/$1 file
	mkdir -p "$corpus" "$ROOT/build-fuzz/found"
	while read -r file; do
		case $name in
		text) cp "$file" "$corpus/$(sha1sum <"$file" | head -c 16)" ;;
		vir0) { printf 1; cat "$file"; } >"$corpus/$(sha1sum <"$file" | head -c 16)" ;;
		esac
	done < <(find ir examples tests tools passes -name '*.vyre')
	grep -ohE '"[a-z_0-9.<>=!+*/%&|^~-]{1,20}"' ir/*.def | sort -u >"$ROOT/build-fuzz/words"
	if [[ $name == blob ]]; then # of every kind of unit and format; a live set for a GPU as well, and no longer than an input may be
		find build/examples build/tools build/tests build/gpu/conformance -name '*.vyb' -size -64k -exec cp {} "$corpus/" \;
		build/tools/vyrec tests/scheduler/scheduler.vyre --target=sm_90,x86-64-v2 --cubin=never -o "$corpus/live.vyb"
	fi
	"$ROOT/build-fuzz/tests/fuzz/${name}_fuzz" -max_total_time="$2" -timeout=20 -rss_limit_mb=2048 -max_len=65536 -dict="$ROOT/build-fuzz/words" \
		-print_final_stats=1 -artifact_prefix="$ROOT/build-fuzz/found/$name-" "$corpus"
}

# Two fuzzers at a time.
stage_fuzz() {
	local names=() name start pids=() seconds=$1 i
	for name in "$ROOT"/build-fuzz/tests/fuzz/*_fuzz; do
		[[ -x $name ]] && name=${name##*/} && names+=("${name%_fuzz}")
	done
	for ((i = 0; i < ${#names[@]}; i += 2)); do
		start=$(date +%s%N)
		pids=()
		for name in "${names[@]:i:2}"; do
			fuzz_one "$name" "$seconds" >"$LOG/fuzz-$name.log" 2>&1 </dev/null &
			pids+=($!)
		done
		for name in "${names[@]:i:2}"; do
			if wait "${pids[0]}"; then
				report "fuzz $name, $(sed -n 's/^stat::number_of_executed_units: *//p' "$LOG/fuzz-$name.log") inputs" 1 0 "$start"
			else
				report "fuzz $name" 0 1 "$start"
				tail -n 12 "$LOG/fuzz-$name.log" | sed 's/^/  | /' >&2
			fi
			pids=("${pids[@]:1}")
		done
	done
	((${#names[@]})) || report 'fuzz: no fuzzer was built' 0 1 "$(date +%s%N)"
}

# The protocol's models, all rows of tests/model/configurations.
stage_model() {
	local start log=$LOG/model.log passed failed
	start=$(date +%s%N)
	tests/model/run.sh >"$log" 2>&1 </dev/null
	read -r passed failed < <(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' "$log")
	[[ -n ${passed:-} ]] || passed=0 failed=1
	((failed == 0)) || grep -A 5 '^FAILED' "$log" | sed 's/^/  | /' >&2
	report 'protocol models, every state' "$passed" "$failed" "$start"
}

# Twice COUNT random handlers from two seeds, side by side.
differential() {
	local first rc=0
	build/tests/differential_test "$1" 1 &
	first=$!
	build/tests/differential_test "$1" 1000001 || rc=1
	wait $first && return $rc
}

# The test programs of the loader; the thread sanitizer has nothing to say about the compiler, which has one thread.
runtime_tests() {
	local file
	for file in tests/runtime/*_test.c; do
		file=${file##*/}
		echo "runtime_${file%.c}"
	done
}

test_quick() {
	stage_check
	stage_build release 'build' all || return
	stage_ctest release 'C tests' -LE '^long$'
	stage_lit release 'text tests'
	stage_readme
}

test_full() {
	test_quick
	stage_ctest release 'long C tests' -L '^long$'
	stage ring-stress 'ring stress, 10,000,000 slots' build/tests/runtime_ring_stress_test 10000000
	stage_model
	stage ptx-corpus 'corpus as PTX and cubins, four targets' build/tests/codegen_ptx_corpus_test all
	stage differential '10,000 random handlers, cpu against interpreter' differential 5000
	stage_build asan 'build with address and UB sanitizers' all &&
		stage_ctest asan 'C tests, address and UB sanitizers' &&
		stage_lit asan 'text tests, address and UB sanitizers'
	stage_build tsan 'build with the thread sanitizer' $(runtime_tests) &&
		stage_ctest tsan 'ring and stream, thread sanitizer' -R '^runtime_'
	stage_build fuzz 'build of the fuzzers' fuzzers && stage_fuzz 60
}

command_test() {
	local start mode=full
	start=$(date +%s%N)
	[[ -z ${VYRE_DEV_NESTED:-} ]] || { say 'tools/dev test: already running, this is one of its commands'; return 0; }
	case ${1:-} in
	--quick) mode=quick ;;
	'') ;;
	*) fail "test does not know $1. Fix: tools/dev test [--quick]" ;;
	esac
	need test
	mkdir -p "$LOG"
	# shellcheck source=/dev/null
	. tools/dev.d/check.sh
	"test_$mode"
	say "$mode test of $(seconds_since "$start") s; logs in build/log"
	say "$TOTAL_PASSED passed, $TOTAL_FAILED failed"
	((TOTAL_FAILED == 0))
}
