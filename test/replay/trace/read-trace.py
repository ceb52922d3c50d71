"""Prints a trace's events as `retrovisor events --json` does; after `--payloads` also the SHA-256 and length of each
payload, in the order in which they lie there, each tried. Made from docs/trace-format.md alone."""

import hashlib
import json
import struct
import sys
import zlib


class Bytes:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        assert self.at + count <= len(self.data)
        self.at += count
        return self.data[self.at - count : self.at]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def text(self):
        return self.take(self.varint()).decode()

    def integers(self, count):
        return self.packed(self.varint(), count)

    def in_context(self, count):
        missed = self.varint()
        hits, values = self.integers(missed), self.integers(missed)
        contexts = 1
        while contexts < count and contexts < 4096:
            contexts *= 2
        after_many, after_two, many, two, read = {}, {}, 0, 0, []

        def guessed():
            return after_many.get(many, after_two.get(two, 0))

        def take(value):
            nonlocal many, two
            read.append(value)
            after_many[many] = after_two[two] = value
            mix = ((value & 0xFFFFFFFF) * 0x9E3779B1 & 0xFFFFFFFF) >> 20
            many, two = (many << 1 ^ mix) % contexts, (two << 6 ^ mix) % contexts

        for run, value in zip(hits, values):
            for _ in range(run):
                take(guessed())
            take(value)
        while len(read) < count:
            take(guessed())
        return read

    def packed(self, tag, count):
        if tag == 3:
            return self.in_context(count)
        negative, magnitude = self.varint(), self.varint()
        first = -magnitude if negative else magnitude
        if tag == 0:
            return [first] * count
        if tag == 1:
            return [first + self.varint() for _ in range(count)]
        assert tag == 2
        values = [first]
        for _ in range(count - 1):
            code = self.varint()
            values.append(values[-1] + (code // 2 if code % 2 == 0 else -(code + 1) // 2))
        return values


def chunks(data):
    """Kind and inflated payload of every chunk, each checksum tried."""
    assert data[:8] == bytes.fromhex("8952545652 0d0a1a")
    assert struct.unpack_from("<I", data, 12) == (0,)
    offset, ordinal, before, places = 16, 0, 0, []
    while len(data) - offset > 16:
        head = data[offset : offset + 64]
        magic, kind, packed, place, stored, raw, events = struct.unpack_from("<IBBxxIIII", head, 0)
        extent = struct.unpack_from("<ddd", head, 24)
        sum_of_payload, sum_before, zero, own = struct.unpack_from("<IIII", head, 48)
        payload = data[offset + 64 : offset + 64 + stored]
        assert (magic, place, sum_before, zero) == (0x4B435652, ordinal, before, 0)
        assert own == zlib.crc32(head[:60]) and sum_of_payload == zlib.crc32(payload)
        payload = zlib.decompress(payload, -15) if packed == 1 else payload
        assert len(payload) == raw
        places.append((offset, kind, events, *map(int, extent)))
        yield kind, events, payload
        offset, ordinal, before = offset + 64 + stored, ordinal + 1, own
    index, checksum, magic = struct.unpack("<dII", data[offset:])
    assert (magic, checksum) == (0x4E455652, zlib.crc32(data[offset : offset + 8]))
    assert index == places[-1][0] and places[-1][1] == 3
    listed = Bytes(payload)
    assert [tuple(listed.varint() for _ in range(6)) for _ in range(listed.varint())] == places[:-1]


def told(data, places, half, tellers):
    """Integers of a field, of those that are told by other columns what these said."""
    tag = data.varint()
    if tag != 4:
        return data.packed(tag, len(places))
    names = [(data.varint(), data.varint()) for _ in range(data.varint())]
    silent = ([], [])
    said = []
    for name in names:
        by_place = dict(zip(*tellers.get((*name, half), silent)))
        last, column = 0, []
        at = 0
        for place in places:
            while at <= place:
                last = by_place.get(at, last)
                at += 1
            column.append(last)
        said.append(column)
    choices = data.integers(len(places))
    others = iter(data.integers(choices.count(0)) if 0 in choices else [])
    return [
        said[0][i] + next(others) if choice == 0 else said[choice - 1][i] for i, choice in enumerate(choices)
    ]


def column(data, name, kind, places, version, tellers):
    """A field of a kind's events. `tellers` has what fields said before, and gets what this one says."""
    count = len(places)

    def numbers(half="low"):
        values = told(data, places, half, tellers)
        tellers[(*name, half)] = (places, values)
        return values

    if kind == "u64":
        high, low = numbers("high"), numbers()
        return [f"0x{(h << 32 | l):x}" for h, l in zip(high, low)]
    if kind == "text":
        texts = [data.text() for _ in range(data.varint())]
        return [texts[value] for value in data.integers(count)]
    if kind == "bytes":
        lengths = data.integers(count)
        if version >= 3 and 0 < max(lengths) <= 6:
            return [value.to_bytes(length, "little").hex() for length, value in zip(lengths, numbers())]
        return [data.take(length).hex() for length in lengths]
    if kind == "packet":
        lengths = data.integers(count)
        headers = [data.take(min(length, 66)) for length in lengths]
        return [(header + data.take(length - len(header))).hex() for length, header in zip(lengths, headers)]
    values = numbers()
    return [value == 1 for value in values] if kind == "bool" else values


def source_name(source):
    for first, name in ((528, "vhost-"), (272, "iothread"), (16, "vcpu")):
        if source >= first:
            return f"{name}{source - first}"
    return ("main-loop", "timer", "user", "host-net")[source]


def within_of(code, i, seqs, withins):
    if code == 0:
        return None
    if code == 1:
        return withins[i - 1]
    return seqs[i - 1] if code == 2 else seqs[i] - (code - 2)


def cause_of(code, seq, within):
    if code == 0:
        return None
    return within if code == 1 else seq - (code - 1)


def events_of(data, vocabulary, version):
    count = data.varint()
    listed = [data.varint() for _ in range(data.varint())] if version >= 3 else None
    kinds = data.integers(count)
    if listed is not None:
        kinds = [listed[kind] for kind in kinds]
    order = sorted(range(count), key=lambda place: kinds[place])

    def by_kind():
        values = [0] * count
        for place, value in zip(order, data.integers(count)):
            values[place] = value
        return values

    def summed(first, gaps):
        values = [first]
        for gap in gaps[1:]:
            values.append(values[-1] + gap)
        return values

    seqs = summed(data.varint(), data.integers(count))
    first_tick = data.varint()
    ticks = summed(first_tick, by_kind())
    sources, withins, causes = by_kind(), by_kind(), by_kind()
    for i in range(count):
        withins[i] = within_of(withins[i], i, seqs, withins)
        causes[i] = cause_of(causes[i], seqs[i], withins[i])
    events = [{} for _ in range(count)]
    names = list(vocabulary)
    gaps = [0] + [ticks[i] - ticks[i - 1] for i in range(1, count)]
    tellers = {(len(names), 0, "low"): (range(count), gaps)}
    for index in range(data.varint() if listed is None else len(listed)):
        kind = data.varint() if listed is None else listed[index]
        places = [place for place in range(count) if kinds[place] == kind]
        assert version >= 3 or data.varint() == len(places)
        for place in places:
            events[place]["kind"] = names[kind]
        for field, (name, type_) in enumerate(vocabulary[names[kind]].items()):
            values = column(data, (kind, field), type_, places, version, tellers)
            for place, value in zip(places, values):
                events[place][name] = value
    assert data.at == len(data.data)
    for i, event in enumerate(events):
        links = {"cause": causes[i], "within": withins[i]}
        links = {name: seq for name, seq in links.items() if seq is not None}
        yield {"seq": seqs[i], "tick": ticks[i], "source": source_name(sources[i]), **links, **event}


def payloads_of(listed, data):
    """SHA-256 and length of each payload of two neighbouring chunks."""
    listed, data = Bytes(listed), Bytes(data)
    while listed.at < len(listed.data):
        name, length = listed.take(32), listed.varint()
        assert hashlib.sha256(data.take(length)).digest() == name
        yield name.hex(), length
    assert data.at == len(data.data)


def main():
    with open(sys.argv[1], "rb") as file:
        data = file.read()
    vocabulary, listed, there = {}, None, {}
    (version,) = struct.unpack_from("<I", data, 8)
    assert version in (2, 3)
    for kind, count, payload in chunks(data):
        if kind == 1:
            vocabulary = json.loads(payload)["vocabulary"]
        elif kind == 4:
            listed = payload
        elif kind == 5:
            found = list(payloads_of(listed, payload))
            assert not any(name in there for name, _ in found)
            there.update(found)
            listed = None
        elif kind == 2:
            events = list(events_of(Bytes(payload), vocabulary, version))
            assert len(events) == count
            assert listed is None
            for event in events:
                if there and event["kind"] == "sim:payload_received":
                    assert there[event["sha256"]] == event["len"]
                print(json.dumps(event, separators=(",", ":"), ensure_ascii=False))
    if "--payloads" in sys.argv:
        for name, length in there.items():
            print(name, length)


main()
