"""A GGUF file again with every weight as F32: the same model to the last bit, on which llama.cpp rounds no activations."""

import argparse
from pathlib import Path

import gguf
import numpy

ARCHITECTURE = "general.architecture"
FILE_TYPE = "general.file_type"


def copy_metadata(reader, writer):
    for field in reader.fields.values():
        # The writer makes these itself.
        if field.name.startswith("GGUF.") or field.name in (ARCHITECTURE, FILE_TYPE):
            continue
        kind = field.types[0]
        item = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), kind, sub_type=item)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("source", type=Path)
    arguments.add_argument("target", type=Path)
    arguments = arguments.parse_args()
    reader = gguf.GGUFReader(arguments.source)
    writer = gguf.GGUFWriter(arguments.target, reader.fields[ARCHITECTURE].contents())
    copy_metadata(reader, writer)
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        writer.add_tensor(tensor.name, numpy.ascontiguousarray(values, dtype=numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
