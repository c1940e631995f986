"""A hash that is kept is that of the fields, in this process alone."""

import pickle
from dataclasses import dataclass, replace

from dnnc.ir.hashing import hash_once

COUNTED: list[str] = []


@dataclass(frozen=True)
class Text:
    text: str

    def __hash__(self) -> int:
        COUNTED.append(self.text)
        return hash(self.text)


@hash_once
@dataclass(frozen=True)
class Record:
    text: Text
    number: int = 0


def test_a_hash_is_computed_once():
    record = Record(Text("a"))
    COUNTED.clear()
    assert {record: 1}[record] == 1 and hash(record) == hash(record)
    assert COUNTED == ["a"]


def test_equal_records_have_equal_hashes_and_other_fields_another():
    record = Record(Text("a"))
    assert hash(record) == hash(Record(Text("a"))) != hash(replace(record, number=1))


def test_what_is_stored_has_no_hash_of_this_process():
    record = Record(Text("a"))
    hash(record)
    loaded = pickle.loads(pickle.dumps(record))
    assert "_hash" not in loaded.__dict__ and loaded == record and hash(loaded) == hash(record)
