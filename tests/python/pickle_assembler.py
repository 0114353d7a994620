"""Pickles and `.pt` containers written opcode by opcode, without the classes that they name."""

import io
import struct
import zipfile
from dataclasses import dataclass


@dataclass(frozen=True)
class Class:
    """A class or function by name; nothing is imported."""
    module: str
    name: str


@dataclass
class Call:
    """A class or function called with `args`, then given `state` (BUILD)."""
    function: Class
    args: tuple
    state: object = None


@dataclass(frozen=True)
class Storage:
    """A storage of `count` elements under `key`; `kind` is the class that PyTorch names (`FloatStorage`)."""
    key: object = "0"
    count: int = 6
    kind: str = "FloatStorage"
    location: str = "cpu"
    tag: str = "storage"


@dataclass(frozen=True)
class Raw:
    """Opcodes as they are."""
    code: bytes


REBUILD = Class("torch._utils", "_rebuild_tensor_v2")


def tensor(storage=Storage(), offset=0, shape=(2, 3), strides=(3, 1), function=REBUILD):
    """A dense tensor as torch.save records it."""
    hooks = Call(Class("collections", "OrderedDict"), ())
    return Call(function, (storage, offset, shape, strides, False, hooks))


def text(value):
    raw = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(raw)) + raw


def integer(value):
    if 0 <= value < 256:
        return b"K" + bytes([value])
    if -(1 << 31) <= value < 1 << 31:
        return b"J" + struct.pack("<i", value)
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def encode(value):
    """Opcodes that leave `value` on the stack; nothing is memoised."""
    match value:
        case Raw(code):
            return code
        case None:
            return b"N"
        case bool():
            return b"\x88" if value else b"\x89"
        case int():
            return integer(value)
        case float():
            return b"G" + struct.pack(">d", value)
        case str():
            return text(value)
        case Class(module, name):
            return b"c" + f"{module}\n{name}\n".encode()
        case Storage():
            kind = Class("torch", value.kind)
            return encode((value.tag, kind, value.key, value.location, value.count)) + b"Q"
        case Call():
            code = encode(value.function) + encode(value.args) + b"R"
            return code if value.state is None else code + encode(value.state) + b"b"
        case tuple():
            return b"(" + b"".join(map(encode, value)) + b"t"
        case list():
            return b"](" + b"".join(map(encode, value)) + b"e"
        case dict():
            return b"}(" + b"".join(encode(k) + encode(v) for k, v in value.items()) + b"u"
    raise TypeError(value)


def pickled(value, protocol=2):
    return b"\x80" + bytes([protocol]) + encode(value) + b"."


FLOATS = struct.pack("<6f", *(0.5 * i for i in range(6)))


def archive(code, storages=None, byteorder=b"little", root="archive", compress=(), extra=()):
    """A zip container around the pickle `code`; `storages` are the bytes by key."""
    storages = {"0": FLOATS} if storages is None else storages
    members = [("data.pkl", code)]
    members += [] if byteorder is None else [("byteorder", byteorder)]
    members += [(f"data/{key}", raw) for key, raw in storages.items()]
    members += [("version", b"3\n"), *extra]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as zipped:
        for name, raw in members:
            info = zipfile.ZipInfo(f"{root}/{name}" if root else name)
            info.compress_type = zipfile.ZIP_DEFLATED if name in compress else zipfile.ZIP_STORED
            zipped.writestr(info, raw)
    return out.getvalue()


LEGACY_MAGIC = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")


def legacy(value, keys=("0",), counts=(6,), data=FLOATS, protocol=1001, little=True):
    """The older container: five pickles, then each storage behind its number of elements."""
    system = {"protocol_version": protocol, "little_endian": little, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    head = LEGACY_MAGIC + pickled(protocol) + pickled(system) + pickled(value) + pickled(list(keys))
    return head + b"".join(struct.pack("<q", n) + data for n in counts)
