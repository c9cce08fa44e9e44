"""Files have at most 400 lines, tests 800, and no file is called `mod.rs`."""

import subprocess
import sys
from pathlib import Path

LIMIT = 400
TEST_LIMIT = 800

names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.rs", "*.py"], check=True, capture_output=True, text=True).stdout.split()
faults = []
for path in map(Path, names):
    is_test = path.parts[0] == "tests" or path.stem == "tests" or "tests" in path.parts
    limit = TEST_LIMIT if is_test else LIMIT
    length = len(path.read_text().splitlines())
    if length > limit:
        faults.append(f"{path}: {length} lines, at most {limit}; split it by idea")
    if path.name == "mod.rs":
        faults.append(f"{path}: name the file after the module and put it beside its folder")
print("\n".join(faults) or f"sizes: {len(names)} files ok")
sys.exit(bool(faults))
