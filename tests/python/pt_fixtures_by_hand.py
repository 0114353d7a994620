"""Cases of make_pt_fixtures.py that are assembled by hand: hostile, or no longer written by anyone."""

import struct

import torch

from pickle_assembler import (FLOATS, REBUILD, Call, Class, Raw, Storage, archive, encode, legacy, pickled, tensor)

WEIGHT = torch.arange(6, dtype=torch.float32).mul(0.5).reshape(2, 3)


def cases(out):
    """Writes every file into `out` and yields its case."""
    for file, about, raw, outcome, *tensors in [*odd(), *code(), *numbers(), *containers(), *pickles(), *older()]:
        (out / file).write_bytes(raw)
        container = "zip" if raw[:2] == b"PK" else "legacy" if raw[:2] == b"\x80\x02" else "other"
        yield {"file": file, "about": about, "container": container, "outcome": outcome, "weights_at": "",
               "tensors": tensors[0] if tensors else [], "entries": []}


def file_with(value, **options):
    return archive(pickled({"weight": value}), **options)


FINE = [("weight", WEIGHT)]


def odd():
    yield "hand_plain.pt", "the smallest honest file, no byte order member", file_with(tensor(), byteorder=None), "tensors", FINE
    yield "hand_first_version.pt", "the rebuild function before version 0.4: no gradients, no hooks", file_with(
        Call(Class("torch._utils", "_rebuild_tensor"), (Storage(), 0, (2, 3), (3, 1)))), "tensors", FINE
    yield "hand_third_version.pt", "the rebuild function that names a dtype over a storage of bytes", file_with(
        Call(Class("torch._utils", "_rebuild_tensor_v3"), (Storage(count=24, kind="storage.UntypedStorage"), 0, (2, 3), (3, 1),
             False, Call(Class("collections", "OrderedDict"), ()), Class("torch", "float32")))), "either", FINE
    yield "hand_hooked_parameter.pt", "a parameter with state of its own", file_with(
        Call(Class("torch._utils", "_rebuild_parameter_with_state"), (tensor(), True, {}, {"tag": 1}))), "either", FINE
    yield "hand_subclass.pt", "a tensor subclass of an unknown library", file_with(
        Call(Class("torch._tensor", "_rebuild_from_type_v2"), (REBUILD, Class("library", "Fancy"), (
            Storage(), 0, (2, 3), (3, 1), False, {}), {"note": "kept"}))), "either", FINE
    yield "hand_deflated.pt", "the pickle is deflated, the storages are not", file_with(
        tensor(), compress=("data.pkl",)), "tensors", FINE
    yield "hand_deflated_storage.pt", "a storage is deflated: its elements have no place in the file", file_with(
        tensor(), compress=("data/0",)), "either", FINE
    yield "hand_no_root.pt", "members without a folder", file_with(tensor(), root=""), "either", FINE
    yield "hand_unused_storage.pt", "a member that no tensor uses", file_with(
        tensor(), storages={"0": FLOATS, "1": b"x" * 40}), "tensors", FINE
    two = {"floats": tensor(), "halves": tensor(Storage(count=12, kind="HalfStorage"), 0, (12,), (1,))}
    yield "hand_two_dtypes_of_one_storage.pt", "one storage seen as float and as half", archive(
        pickled(two)), "either", [("floats", WEIGHT), ("halves", WEIGHT.view(-1).view(torch.float16))]
    alias = b"}(" + encode("weight") + encode(tensor()) + b"q\x01" + encode("again") + b"h\x01u"
    yield "hand_memo_alias.pt", "the same object under two names", archive(b"\x80\x02" + alias + b"."), "tensors", [
        ("weight", WEIGHT), ("again", WEIGHT)]


def code():
    touch = Call(Class("posix", "system"), ("touch icpc-was-here",))
    yield "calls_os_system.pt", "unpickling it would run a command beside the weights", archive(
        pickled({"weight": tensor(), "extra": touch})), "either", FINE
    yield "calls_os_system_as_weights.pt", "the command stands where the weights should", archive(pickled(touch)), "refused"
    yield "calls_os_system_as_shape.pt", "the command stands where a shape should", file_with(tensor(shape=touch)), "refused"
    yield "calls_eval_as_rebuild.pt", "`eval` stands where the rebuild function should", file_with(
        tensor(function=Class("builtins", "eval"))), "refused"
    yield "calls_eval_as_storage_class.pt", "a storage of class `eval`", file_with(
        tensor(Storage(kind="../builtins.eval"))), "refused"
    stack_global = encode("posix") + encode("system") + b"\x93" + encode(("touch icpc-was-here",)) + b"R"
    yield "calls_os_system_protocol_4.pt", "the command by STACK_GLOBAL", archive(
        pickled({"weight": tensor(), "extra": Raw(stack_global)}, 4)), "either", FINE
    instance = b"(" + encode("touch icpc-was-here") + b"iposix\nsystem\n"
    yield "calls_os_system_by_inst.pt", "the command by INST", archive(
        pickled({"weight": tensor(), "extra": Raw(instance)})), "either", FINE
    extension = b"\x82\x01"
    yield "extension_registry.pt", "a code of the extension registry", archive(
        pickled({"weight": tensor(), "extra": Raw(extension)})), "either", FINE
    state = Call(Class("collections", "OrderedDict"), (), {"__setstate__": Class("posix", "system")})
    yield "state_names_a_function.pt", "a state that replaces a method", archive(
        pickled({"weight": tensor(), "extra": state})), "either", FINE


def numbers():
    huge = 10**19
    for name, about, value in [
        ("huge_shape", "10^19 elements", tensor(shape=(huge,), strides=(1,))),
        ("overflowing_shape", "a shape whose product overflows 64 bits", tensor(shape=(1 << 33, 1 << 33), strides=(1, 1))),
        ("negative_shape", "a negative extent", tensor(shape=(-2, 3))),
        ("negative_stride", "a negative stride", tensor(strides=(-3, 1))),
        ("negative_offset", "a negative offset", tensor(offset=-1)),
        ("huge_offset", "an offset that overflows in bytes", tensor(offset=1 << 62)),
        ("huge_stride", "a stride that overflows", tensor(strides=(1 << 63, 1))),
        ("view_out_of_bounds", "the last row lies behind the storage", tensor(offset=1)),
        ("stride_out_of_bounds", "strides reach behind the storage", tensor(strides=(4, 1))),
        ("storage_larger_than_member", "a storage of 600 elements in a member of 24 bytes", tensor(
            Storage(count=600), 0, (600,), (1,))),
        ("negative_storage", "a storage of -6 elements", tensor(Storage(count=-6))),
        ("ranks_differ", "two extents, three strides", tensor(strides=(3, 1, 1))),
        ("shape_of_text", "an extent is text", tensor(shape=("2", 3))),
        ("shape_of_floats", "an extent is 2.5", tensor(shape=(2.5, 3))),
        ("rank_10000", "ten thousand axes", tensor(shape=(1,) * 10000, strides=(1,) * 10000)),
        ("unknown_storage_class", "a storage of a class that PyTorch lacks", tensor(Storage(kind="QuaterStorage"))),
        ("storage_key_is_a_path", "a storage key that climbs out of the archive", tensor(Storage(key="../../data/0"))),
        ("storage_key_is_a_number", "a storage key that is a number", tensor(Storage(key=0))),
        ("storage_missing", "a storage that the archive lacks", tensor(Storage(key="7"))),
        ("persistent_id_of_another_kind", "a persistent id that is no storage", tensor(Storage(tag="module"))),
    ]:
        outcome = "either" if name in ("rank_10000", "storage_key_is_a_number", "persistent_id_of_another_kind") else "refused"
        found = [("weight", WEIGHT)] if name == "storage_key_is_a_number" else []
        squeezed = ("data.pkl",) if name == "rank_10000" else ()
        yield f"{name}.pt", about, file_with(value, compress=squeezed), outcome, found


def containers():
    fine = file_with(tensor())
    for part in (1, 2, 3):
        yield f"truncated_zip_{part}_of_4.pt", f"the first {part} quarters of an honest file", fine[: len(fine) * part // 4], "refused"
    yield "big_endian.pt", "byte order big", file_with(tensor(), byteorder=b"big"), "refused"
    yield "unknown_byte_order.pt", "byte order middle", file_with(tensor(), byteorder=b"middle"), "refused"
    yield "no_pickle.pt", "an archive without data.pkl", fine.replace(b"data.pkl", b"date.pkl"), "refused"
    yield "pickle_bomb.pt", "the pickle inflates from 16 kB to 16 MB of zeros", archive(
        bytes(16 << 20), compress=("data.pkl",)), "refused"
    central = fine.index(b"PK\x01\x02")
    lying = bytearray(fine)
    lying[central + 20 : central + 28] = struct.pack("<II", 0x7FFF_FFFF, 0x7FFF_FFFF)
    yield "member_size_lies.pt", "the directory says that the pickle has 2 GiB", bytes(lying), "refused"
    lying = bytearray(fine)
    lying[central + 42 : central + 46] = struct.pack("<I", 0x7FFF_FFFF)
    yield "member_offset_lies.pt", "the directory places the pickle behind the file", bytes(lying), "refused"
    flagged = bytearray(fine)
    flagged[central + 8] |= 1
    yield "encrypted.pt", "the pickle claims to be encrypted", bytes(flagged), "refused"
    yield "two_members_of_one_name.pt", "two different members `data/0`", archive(
        pickled({"weight": tensor()}), extra=[("data/0", FLOATS[::-1])]), "either", FINE
    yield "two_roots.pt", "two folders that both hold a data.pkl", archive(
        pickled({"weight": tensor()}), extra=[("../other/data.pkl", pickled({}))]), "either", FINE
    yield "empty.pt", "no byte at all", b"", "refused"
    yield "only_zip_end.pt", "a zip archive without members", b"PK\x05\x06" + bytes(18), "refused"
    yield "text.pt", "a page of HTML that a download left", b"<!DOCTYPE html><title>404</title>\n", "refused"
    yield "git_lfs_pointer.pt", "a pointer of git-lfs instead of the file", (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 7577999\n"), "refused"


def pickles():
    whole = pickled({"weight": tensor()})
    yield "pickle_truncated.pt", "the pickle ends in the middle of an opcode", archive(whole[:40]), "refused"
    yield "pickle_without_stop.pt", "the pickle has no STOP", archive(whole[:-1]), "refused"
    yield "pickle_with_tail.pt", "bytes behind STOP", archive(whole + b"tail"), "either", FINE
    for name, about, body in [
        ("memo_missing", "an object from the memo that was never put there", b"h\x05"),
        ("stack_underflow", "REDUCE on an empty stack", b"R"),
        ("mark_missing", "TUPLE without MARK", b"t"),
        ("unknown_opcode", "an opcode that does not exist", b"\xff"),
        ("text_length_lies", "a text of 2^60 bytes", b"\x8d" + struct.pack("<Q", 1 << 60)),
        ("bytes_length_lies", "bytes of 4 GiB", b"B\xff\xff\xff\xff"),
        ("integer_length_lies", "an integer of 2 GiB", b"\x8b\xff\xff\xff\x7f"),
        ("negative_length", "an integer of -1 bytes", b"\x8b\xff\xff\xff\xff"),
        ("frame_length_lies", "a frame of 2^63 bytes", b"\x95" + struct.pack("<Q", 1 << 63)),
        ("memo_index_huge", "memo entry 4294967295", b"Nr\xff\xff\xff\xff"),
        ("text_not_utf8", "a key that is not UTF-8", b"}X\x02\x00\x00\x00\xff\xfeNs"),
        ("odd_dict", "SETITEMS with an odd number of values", b"}(NNNu"),
        ("text_integer_huge", "a decimal integer of 5,000 digits", b"I" + b"9" * 5000 + b"\n"),
    ]:
        outcome = "either" if name in ("memo_index_huge", "text_integer_huge") else "refused"
        yield f"pickle_{name}.pt", about, archive(b"\x80\x04" + body + b"."), outcome
    yield "pickle_protocol_9.pt", "a protocol that does not exist", archive(b"\x80\x09" + encode({"weight": tensor()}) + b"."), "refused"
    yield "pickle_deep.pt", "20,000 lists inside each other", archive(
        b"\x80\x02" + b"]" * 20000 + b"a" * 19999 + b".", compress=("data.pkl",)), "refused"
    cycle = b"}q\x00(" + encode("self") + b"h\x00" + encode("weight") + encode(tensor()) + b"u"
    yield "pickle_cycle.pt", "a dict that holds itself", archive(b"\x80\x02" + cycle + b"."), "either", FINE
    laughs = encode(tensor()) + b"q\x00" + b"".join(
        b"(" + (b"h" + bytes([i])) * 10 + b"tq" + bytes([i + 1]) for i in range(12))
    yield "pickle_billion_laughs.pt", "12 tuples of 10 of the one before: 10^12 names of one tensor", archive(
        b"\x80\x02}(" + encode("weight") + laughs + b"u."), "refused"


def older():
    fine = {"weight": tensor_of_legacy()}
    yield "legacy_by_hand.pt", "the smallest honest file of the older container", legacy(fine), "tensors", FINE
    yield "legacy_truncated.pt", "the older container, cut in the storage", legacy(fine)[:-5], "refused"
    yield "legacy_truncated_pickle.pt", "the older container, cut in the pickle", legacy(fine)[:120], "refused"
    yield "legacy_count_lies.pt", "a storage says 2^62 elements", legacy(fine, counts=(1 << 62,)), "refused"
    yield "legacy_negative_count.pt", "a storage says -1 elements", legacy(fine, counts=(-1,)), "refused"
    yield "legacy_storage_missing.pt", "no storage behind the pickles", legacy(fine, keys=(), counts=()), "refused"
    yield "legacy_unknown_protocol.pt", "the older container with protocol 999", legacy(fine, protocol=999), "refused"
    yield "legacy_big_endian.pt", "the older container from a big-endian machine", legacy(fine, little=False), "refused"
    yield "legacy_bare_pickle.pt", "a pickle that is not PyTorch's container", pickled({"weight": [1, 2, 3]}), "refused"
    yield "legacy_calls_os_system.pt", "the older container with a command in its first pickle", (
        pickled(Call(Class("posix", "system"), ("touch icpc-was-here",)))), "refused"


def tensor_of_legacy():
    """As `tensor`, with the sixth item (a view of another storage) that this container's ids have."""
    code = encode(("storage", Class("torch", "FloatStorage"), "0", "cpu", 6, None)) + b"Q"
    return tensor(Raw(code))
