"""Makes PyPI's torch for Linux importable on a machine without CUDA.

PyPI has no CPU build of torch for x86-64 Linux. The one that it has wants CUDA's libraries, 2.2 GB more to fetch, at the
moment it is imported, although no computation on a CPU calls them. So torch is installed without what it depends on, and
this script puts an empty library in the place of each that is missing: it has the right name, and a place holder for each
symbol that torch's libraries look for when they are loaded.

Run it with the Python of the virtual environment, after pip. It does nothing on a machine whose torch lacks nothing.
"""

import re
import subprocess
import sys
import sysconfig
import tempfile
from collections import defaultdict
from pathlib import Path

PACKAGES = Path(sysconfig.get_path("platlib"))
LIBRARIES = PACKAGES / "torch" / "lib"
# torch looks for CUDA's libraries here.
STUBS = PACKAGES / "nvidia" / "cu13" / "lib"

# The driver's library is looked for only by code that has found a device.
IGNORED = {"libcuda.so.1"}


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def missing_libraries():
    """The sonames that torch's libraries need and the loader does not find."""
    missing = set()
    for library in LIBRARIES.glob("lib*.so"):
        missing.update(re.findall(r"^\s*(\S+) => not found", output_of("ldd", library), re.MULTILINE))
    return missing - IGNORED


def versioned_symbols():
    """soname → version → the symbols of that version that torch's libraries want."""
    wanted = defaultdict(lambda: defaultdict(set))
    for library in LIBRARIES.glob("lib*.so"):
        soname_of = {}
        for file, entries in re.findall(
            r"Version: \d+\s+File: (\S+)\s+Cnt: \d+\n((?:\s+0x[0-9a-f]+:\s+Name: .*\n)*)",
            output_of("readelf", "--version-info", "--wide", library),
        ):
            for version in re.findall(r"Name: (\S+)", entries):
                soname_of[version] = file
                wanted[file][version]
        for symbol, version in re.findall(r"\s(\w+)@(\S+)", output_of("readelf", "--relocs", "--wide", library)):
            if version in soname_of:
                wanted[soname_of[version]][version].add(symbol)
    return wanted


def unresolved_symbols():
    """The symbols without a version that no library has. The loader has to find every library."""
    unresolved = set()
    for library in LIBRARIES.glob("lib*.so"):
        unresolved.update(re.findall(r"^undefined symbol: (\w+)", output_of("ldd", "-r", library), re.MULTILINE))
    return unresolved


def make_stub(folder, soname, versions, loose=frozenset()):
    symbols = sorted(loose.union(*versions.values()))
    source = folder / "stub.c"
    source.write_text("".join(f"char {symbol}[16];\n" for symbol in symbols))
    command = ["cc", "-shared", "-nostdlib", f"-Wl,-soname,{soname}", "-o", STUBS / soname, source]
    if versions:
        script = folder / "versions"
        script.write_text(
            "".join(
                f"{version} {{ {''.join(f'{symbol}; ' for symbol in sorted(names))}}};\n"
                for version, names in versions.items()
            )
        )
        command.append(f"-Wl,--version-script,{script}")
    subprocess.run(command, check=True)


def main():
    missing = sorted(missing_libraries())
    wanted = versioned_symbols()
    STUBS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for soname in missing:
            make_stub(folder, soname, wanted[soname])
        # It does not matter which library has them, but one with versions can't.
        for soname in [soname for soname in missing if not wanted[soname]][:1]:
            make_stub(folder, soname, {}, unresolved_symbols())
    if missing:
        print(f"put empty libraries in the place of {', '.join(missing)}")
    subprocess.run([sys.executable, "-c", "import torch; torch.ones(2, 2) @ torch.ones(2, 2)"], check=True)


if __name__ == "__main__":
    main()
