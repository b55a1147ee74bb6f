# check.sh - rules that a machine can keep: formatting, layers, headers, and what the loader exports and needs.
# Part of tools/dev. Each check is a function check_<name> that prints every violation and returns 1 if there was any.

# What a room's files may include. Quoted names are resolved as the build does; the
# resolved path must match `quoted`. A system header must not match `refused`.
#   room          quoted                                                        refused
layer_rules() {
	cat <<-'END'
	runtime/abi   ^runtime/abi/                                                 ^(?!(stdint|stddef|string)\.h$)
	ir            ^(ir|runtime/abi)/                                            ^(llvm|lld|clang|spirv|liburing|pthread)
	passes        ^(ir/ir\.h|ir/[a-z]*\.def|passes/|runtime/abi/)                          ^(llvm|lld|clang|spirv|liburing|pthread)
	codegen       ^(ir/ir\.h|passes/passes\.h|ir/[a-z]*\.def|codegen/|runtime/abi/)  ^(liburing)
	runtime       ^runtime/                                                     ^(llvm|lld|clang|spirv)
	tools         ^(ir/ir\.h|passes/(passes|shape)\.h|codegen/codegen\.h|runtime/vyre\.h|runtime/abi/|tools/)  ^(llvm|lld|clang|spirv)
	examples      ^(runtime/vyre\.h|examples/)                                  ^(llvm|lld|clang|spirv|liburing)
	tests         ^(ir/|passes/|codegen/|runtime/|tests/|tools/vyre-bench/floor_cuda\.h|tools/common/(child|hang|whole_file)\.h)  ^$
	END
}

check_layers() {
	local room quoted refused file line name bad=0 resolved dir
	while read -r room quoted refused; do
		while IFS=: read -r file line name; do
			[[ $room == runtime && $file == runtime/abi/* ]] && continue
			name=${name#*include}
			name=${name#"${name%%[![:space:]]*}"}
			if [[ $name == \"* ]]; then
				name=${name#\"}
				name=${name%%\"*}
				resolved='' dir=${file%/*}
				for candidate in "$dir/$name" "$name" "runtime/$name" "tests/runtime/$name"; do
					[[ -e $candidate ]] && resolved=$candidate && break
				done
				[[ $resolved == *../* ]] && resolved=$(realpath --relative-to=. "$resolved")
				# a name that lies nowhere in the tree is a system header in quotes (lld's shim)
				[[ -z $resolved && $room == codegen ]] && continue
				if ! grep -qP -- "$quoted" <<<"$resolved"; then
					say "$file:$line: $room may not include \"$name\""
					bad=1
				fi
			elif [[ $name == \<* ]]; then
				name=${name#<}
				name=${name%%>*}
				if grep -qP -- "$refused" <<<"$name"; then
					say "$file:$line: $room may not include <$name>"
					bad=1
				fi
			fi
		done < <(find "$room" -name '*.[ch]' -o -name '*.cpp' -o -name '*.def' | sort |
			xargs -r grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<]' /dev/null)
	done < <(layer_rules)
	return $bad
}

# Headers are not held to it: their tables and field comments are aligned by hand.
check_format() { our_c_files | grep -v '\.h$' | xargs -r clang-format --dry-run -Werror; }

# Every header that others may include compiles on its own, in C11 and in C++17.
check_headers() {
	local header bad=0
	for header in runtime/vyre.h runtime/abi/*.h ir/*.h passes/passes.h codegen/codegen.h; do
		echo "#include \"$header\"" |
			gcc -std=c11 -Wall -Wextra -Werror -fsyntax-only -I. -x c - || bad=1
		echo "#include \"$header\"" |
			g++ -std=c++17 -Wall -Wextra -Werror -fsyntax-only -I. -x c++ - || bad=1
	done
	return $bad
}

# The loader knows nothing of the compiler: it builds from a copy of runtime/ in an empty folder.
check_loader_alone() {
	local alone=$BUILD/alone
	rm -rf "$alone/source" && mkdir -p "$alone" && cp -a runtime "$alone/source" || return 1
	cmake -G Ninja -S "$alone/source" -B "$alone/build" -DCMAKE_BUILD_TYPE=RelWithDebInfo >/dev/null || return 1
	cmake --build "$alone/build" -j "$JOBS" || return 1
}

# What the loader exports, what it needs, and how big it is.
check_loader_symbols() {
	local library=$BUILD/alone/build/libvyre-loader.so bad=0 names bytes
	names=$(nm -D --defined-only "$library" | awk '{print $NF}' | grep -v '^vyre_[a-z]')
	[[ -z $names ]] || { say "exported without the prefix vyre_:" $names; bad=1; }
	names=$(nm "$library" | awk '{print $NF}' | grep -E '^(vyrec_|LLVM|_ZN(4llvm|3lld))')
	[[ -z $names ]] || { say "compiler symbols in the loader:" $names; bad=1; }
	names=$(readelf -dW "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -vE '^(libc\.so\.6|ld-linux-x86-64\.so\.2)$')
	[[ -z $names ]] || { say "the loader needs more than libc:" $names; bad=1; }
	strip -o "$BUILD/alone/stripped.so" "$library" || return 1
	bytes=$(stat -c %s "$BUILD/alone/stripped.so")
	say "libvyre-loader.so, stripped: $bytes bytes (goal: 204800 at most)"
	((bytes <= 204800)) || say "warning: the loader is over its goal" >&2
	((bytes <= 409600)) || { say "the loader is over twice its goal" >&2; bad=1; }
	return $bad
}

# Work is finished or it is not there.
check_words() {
	local words='TO''DO|FIX''ME|XX''X|HA''CK|\bst''ubs?\b|place''holder|for n''ow\b|not yet impl''emented'
	! grep -rnIwE "$words" --include='*.[ch]' --include='*.cpp' --include='*.def' --include='*.vyre' --include='*.sh' \
		--include='*.md' --include='CMakeLists.txt' --exclude-dir='build*' . tools/dev
}

# A report, not a rule: files that have outgrown one idea.
check_lengths() {
	find ir passes codegen runtime tools tests examples -name '*.[ch]' -o -name '*.cpp' -o -name '*.vyre' | xargs -r wc -l |
		awk '$2 != "total" && $1 > 600 {print "over 600 lines: " $2 " (" $1 ")"}'
}

# The table that `check` walks and `test` counts:  name  what it says
check_rows() {
	cat <<-'END'
	format          C files are as clang-format leaves them
	layers          every include is one that its room may have
	headers         public headers compile alone, C11 and C++17
	words           nothing is left for later
	lengths         files over 600 lines
	loader_alone    the loader builds from runtime/ alone
	loader_symbols  what the loader exports, needs and weighs
	END
}

command_check() {
	local name text start passed=0 failed=0
	need check
	mkdir -p "$LOG"
	while read -r name text; do
		start=$(date +%s%N)
		if "check_$name" >"$LOG/check-$name.log" 2>&1 </dev/null; then
			passed=$((passed + 1))
			printf '%-64s %6s s\n' "  $text" "$(seconds_since "$start")"
			[[ $name != le* && $name != *symbols ]] || sed 's/^/    /' "$LOG/check-$name.log"
		else
			failed=$((failed + 1))
			printf '%-64s FAILED\n' "  $text"
			head -n 40 "$LOG/check-$name.log" | sed 's/^/    /'
		fi
	done < <(check_rows)
	CHECK_PASSED=$passed CHECK_FAILED=$failed
	((failed == 0))
}
