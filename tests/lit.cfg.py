# lit.cfg.py - how lit runs the text tests: every .vyre file under tests/ with RUN lines, against one build folder.
#   lit-22 tests --param build=/path/to/build
# Commands that a RUN line may name: vyrec and the other tools (of that build), FileCheck, not, count, split-file (LLVM's), and the shell's.
import os
import shutil

import lit.formats

config.name = "vyre"
config.test_format = lit.formats.ShTest(True)
config.suffixes = [".vyre"]
# Folders whose programs belong to a C test and have no RUN lines.
config.excludes = ["conformance", "scheduler", "gpu"]
config.test_source_root = os.path.dirname(__file__)

build = os.path.abspath(lit_config.params.get("build", os.path.join(config.test_source_root, "..", "build")))
config.test_exec_root = os.path.join(build, "tests", "lit")

llvm = next((d for d in ("/usr/lib/llvm-22/bin",) if os.path.isdir(d)), None) or os.path.dirname(
    shutil.which("FileCheck") or lit_config.fatal("FileCheck is not here; install llvm-22-tools")
)
config.environment["PATH"] = os.pathsep.join(
    [os.path.join(build, "tools"), os.path.join(build, "tools", "vyre-bench"), llvm, os.environ["PATH"]])
for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
    if name in os.environ:
        config.environment[name] = os.environ[name]
config.substitutions.append(("%build", build))
