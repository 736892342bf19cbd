#!/usr/bin/env python3
"""Computes what operations cost by the price files, apart from opstream's engine and in decimal arithmetic.

`expect.py` writes catalogue.tsv and invented.tsv beside itself, `expect.py --check` says whether they are what it
would write. README.md describes their lines. Python 3.11 and its standard library are enough.
"""

import datetime as dt
import pathlib
import sys
import tomllib
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from zoneinfo import ZoneInfo

import vectors

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = HERE.parent
MILLION = Decimal(1_000_000)
NANO = Decimal("0.000000001")
MOST = Decimal(10_000)
PROPERTIES = ["processing", "service_tier", "speed", "region", "context"]
STANDARD = {
    "processing": {"realtime"},
    "service_tier": {"default", "standard", "standard_only", "on_demand", "auto"},
    "speed": {"standard"},
    "region": set(),
    "context": {"standard"},
}
PARENT = {
    "cache_read": "input",
    "cache_write": "input",
    "cache_write_1h": "cache_write",
    "cache_write_12h": "cache_write",
    "input_audio": "input",
    "input_image": "input",
    "cache_read_audio": "cache_read",
    "reasoning": "output",
    "output_audio": "output",
    "output_image": "output",
}


class Unpriced(Exception):
    """There is no cost; the argument is the status."""


def within(entry, at):
    start, end = entry.get("valid_from"), entry.get("valid_to")
    return (start is None or start <= at) and (end is None or at < end)


def numbers(rates):
    return {name: Decimal(text) for name, text in rates.items()}


def tier_of(card, prompt):
    """The highest tier that the prompt is in, and its name."""
    found = None
    for tier in card.get("tiers", []):
        if "above" in tier and prompt > tier["above"]:
            found = (tier, f"above-{tier['above']}")
        if "from" in tier and prompt >= tier["from"]:
            found = (tier, f"from-{tier['from']}")
    return found


def minutes(text):
    return int(text[:2]) * 60 + int(text[3:])


def is_scheduled(schedule, at):
    local = at.astimezone(ZoneInfo(schedule.get("tz", "UTC")))
    today, minute = local.date(), local.hour * 60 + local.minute
    yesterday = today - dt.timedelta(days=1)

    def counts(day):
        return day.isoweekday() in schedule["days"] and day not in schedule.get("holidays", [])

    for start, end in ((minutes(start), minutes(end)) for start, end in schedule["windows"]):
        if start < end and start <= minute < end and counts(today):
            return True
        if start > end and ((minute >= start and counts(today)) or (minute < end and counts(yesterday))):
            return True
    return False


def variants_of(model, terms, at):
    """The variant for each property in which the operation was not an ordinary one."""
    words = dict(terms)
    if words.get("service_tier") == "batch":
        words["processing"] = words.pop("service_tier")
    chosen = []
    for name in PROPERTIES:
        word = words.get(name)
        if word is None or word in STANDARD[name]:
            continue
        names = [name, "speed"] if name == "service_tier" else [name]
        found = [
            variant
            for wanted in names
            for variant in model.get("variant", [])
            if word in variant["when"].get(wanted, []) and within(variant, at)
        ]
        if found:
            chosen += [found[0]] if found[0] not in chosen else []
        elif name != "region":
            raise Unpriced("unpriced")
    return chosen


def rates_of(model, at, terms, prompt):
    """Prices by class, the multipliers, the price key, and whether the model gives itself away."""
    intervals = [interval for interval in model["interval"] if within(interval, at)]
    if not intervals:
        raise Unpriced("no_price_at_time")
    interval = intervals[0]
    schedule = next((each for each in interval.get("schedules", []) if is_scheduled(each, at)), None)
    variants = variants_of(model, terms, at)
    cards = [variant for variant in variants if "rates" in variant]
    if len(cards) > 1:
        raise Unpriced("unpriced")
    rates, tier = {}, None
    for card in [interval, *([schedule] if schedule else []), *cards]:
        rates |= numbers(card["rates"])
        reached = tier_of(card, prompt)
        if reached:
            tier = reached[1]
            rates |= numbers(reached[0]["rates"])
        elif tier and not card.get("tiers"):
            raise Unpriced("unpriced")
    key = [schedule["name"] if schedule else None, tier]
    key += [next(iter(variant["when"].values()))[0] for variant in variants]
    priced = [interval, *interval.get("schedules", [])]
    priced += [tier for card in priced for tier in card.get("tiers", [])]
    is_free = all(price == 0 for card in priced for price in numbers(card["rates"]).values())
    is_free = is_free and not any(rates.values())
    return rates, [variant for variant in variants if "multiplier" in variant], key, is_free


def prompt_classes(counts, rates):
    whole, read = counts["input"], counts["cache_read"]
    cached = read + counts["cache_write"] + counts["cache_write_1h"]
    audio = counts["input_audio"] if {"input_audio", "cache_read_audio"} & rates.keys() else 0
    image = counts["input_image"] if "input_image" in rates else 0
    if cached > whole or audio + image > whole:
        raise Unpriced("unpriced")
    long = "cache_write_12h" if "cache_write_12h" in rates and "cache_write_1h" not in rates else "cache_write_1h"
    classes = {"cache_read": read, "cache_write": counts["cache_write"], long: counts["cache_write_1h"]}
    fresh = whole - cached
    if cached == 0 or audio + image == 0:
        return classes | {"input": fresh - audio - image, "input_audio": audio, "input_image": image}
    if audio == whole:
        return classes | {"input_audio": fresh, "cache_read": 0, "cache_read_audio": read}
    if image == whole:
        return classes | {"input_image": fresh}
    if read == whole:
        return {"cache_read": read - audio, "cache_read_audio": audio}
    raise Unpriced("unpriced")


def answer_classes(counts, rates):
    if counts["output"] is None and "output" not in rates:
        return {}
    if counts["output"] is None:
        raise Unpriced("unpriced")
    parts = {name: counts[name] for name in ("reasoning", "output_audio", "output_image") if name in rates}
    rest = counts["output"] - sum(parts.values())
    if rest < 0:
        raise Unpriced("unpriced")
    return parts | {"output": rest}


def dollars(model, at, counts, terms):
    """Exact cost, price key, and whether nothing is charged at all."""
    rates, multipliers, key, is_free = rates_of(model, at, terms, counts["input"] or 0)
    prices = numbers(model.get("units", {}))
    units = [("request", 1)] if "request" in prices else []
    units += [("web_search", counts["web_searches"]), *counts["units"].items()]
    total = Decimal(0)
    for name, count in units:
        if count and name not in prices:
            raise Unpriced("unpriced")
        total += count * prices.get(name, Decimal(0)) / 1000
    if is_free:
        return total, key, total == 0
    if counts["input"] is None:
        raise Unpriced("unpriced")
    for name, count in (prompt_classes(counts, rates) | answer_classes(counts, rates)).items():
        owner = name
        while count and owner is not None and owner not in rates:
            owner = PARENT.get(owner)
        if count and owner is None:
            raise Unpriced("unpriced")
        if count:
            factor = Decimal(1)
            for variant in multipliers:
                if owner in variant.get("applies_to", [owner]):
                    factor *= Decimal(variant["multiplier"])
            total += count * rates[owner] / MILLION * factor
    if total.quantize(NANO, ROUND_HALF_EVEN) > MOST:
        raise Unpriced("unpriced")
    return total, key, False


def expected(model, at, counts, terms):
    """Nano-dollars or a status, and the price key after the model's name."""
    try:
        total, key, is_free = dollars(model, at, counts, terms)
    except Unpriced as unpriced:
        return str(unpriced), ""
    nanos = int(total.quantize(NANO, ROUND_HALF_EVEN).scaleb(9))
    return ("free" if is_free else str(nanos)), " ".join(part for part in key if part)


def golden(paths):
    """The lines: a model, a moment under it, terms under that, and under these the operations."""
    for path in paths:
        prices = tomllib.loads(path.read_text())
        for model in prices["model"]:
            yield f"= {prices['provider']}/{model['id']}"
            before = (None, None)
            for at, terms, counts in vectors.of_model(model):
                if before[0] != at:
                    yield f"@ {vectors.moment(at)}"
                if before != (at, terms):
                    yield f"? {vectors.words(terms)}".rstrip()
                before = (at, terms)
                cost, key = expected(model, at, vectors.NONE | counts, terms)
                yield f"{vectors.letters(counts)}\t{cost}\t{key}".rstrip()


def main():
    outdated = False
    files = {"catalogue.tsv": sorted(FOLDER.glob("*.toml")), "invented.tsv": [HERE / "invented.toml"]}
    for name, paths in files.items():
        with localcontext() as context:
            context.prec = 60
            text = "\n".join(golden(paths)) + "\n"
        file = HERE / name
        if "--check" in sys.argv:
            outdated |= not file.exists() or file.read_text() != text
        else:
            file.write_text(text)
    if outdated:
        sys.exit("the vectors are not those of the price files; run schemas/prices/golden/expect.py")


if __name__ == "__main__":
    main()
