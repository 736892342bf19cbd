"""Which operations the golden files hold: at, above and below every threshold, instant and choice of a model."""

import datetime as dt
from zoneinfo import ZoneInfo

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
INSTANT = dt.timedelta(microseconds=1)
# A Monday, a Saturday, the day after it, and a day in summer.
DAYS = [dt.date(2026, 11, 23), dt.date(2026, 11, 28), dt.date(2026, 11, 29), dt.date(2026, 8, 18)]

NONE = {
    "input": None,
    "output": None,
    "cache_read": 0,
    "cache_write": 0,
    "cache_write_1h": 0,
    "reasoning": 0,
    "input_audio": 0,
    "output_audio": 0,
    "input_image": 0,
    "output_image": 0,
    "web_searches": 0,
    "units": {},
}
LETTERS = dict(zip(NONE, "iorwltabmnsu"))


def moment(at):
    return at.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def words(terms):
    return " ".join(f"{name}={word}" for name, word in terms.items())


def letters(counts):
    plain = [f"{LETTERS[name]}{count}" for name, count in counts.items() if name != "units"]
    return " ".join(plain + [f"u{name}={count}" for name, count in counts.get("units", {}).items()])


def usages(model, prompt):
    """Counts with this many tokens in the prompt: plain, cached, reasoning, media, units, and what cannot be."""
    third, units = prompt // 3, [name for name in model.get("units", {}) if name not in ("web_search", "request")]
    yield {"input": prompt, "output": 777}
    yield {"input": prompt, "output": 333, "cache_read": prompt // 2, "cache_write": prompt // 5, "cache_write_1h": 7}
    yield {"input": prompt, "output": 501, "reasoning": 100, "output_audio": 33, "output_image": 67}
    yield {"input": prompt, "output": 3, "input_audio": third, "input_image": 11}
    yield {"input": prompt, "output": 1, "cache_read": third, "input_audio": prompt}
    yield {"input": prompt, "output": 0, "cache_read": prompt, "input_audio": third}
    yield {"input": prompt, "output": 9, "cache_read": third, "input_audio": 5}
    yield {"input": prompt, "output": 9, "web_searches": 3, "units": {name: 7 for name in units}}
    yield {"input": prompt}
    yield {"output": 9}
    yield {"input": prompt, "output": 9, "cache_read": prompt, "cache_write": 1}


def cards(model):
    for interval in model["interval"]:
        yield interval
        yield from interval.get("schedules", [])
    yield from (variant for variant in model.get("variant", []) if "rates" in variant)


def prompts(model):
    tiers = [tier for card in cards(model) for tier in card.get("tiers", [])]
    starts = {tier["above"] + 1 if "above" in tier else tier["from"] for tier in tiers}
    return sorted({1_001} | {start + step for start in starts for step in (-1, 0, 1)})


def instants(model):
    """Every boundary of the model's prices, and the microsecond before it."""
    entries = [*model["interval"], *model.get("variant", [])]
    bounds = {entry[name] for entry in entries for name in ("valid_from", "valid_to") if name in entry}
    for schedule in (schedule for interval in model["interval"] for schedule in interval.get("schedules", [])):
        zone = ZoneInfo(schedule.get("tz", "UTC"))
        for day in [*DAYS, *schedule.get("holidays", [])]:
            for text in (text for window in schedule["windows"] for text in window):
                midnight = dt.datetime.combine(day, dt.time(), zone)
                bounds.add((midnight + dt.timedelta(hours=int(text[:2]), minutes=int(text[3:]))).astimezone(dt.UTC))
    return sorted(bounds | {bound - INSTANT for bound in bounds})


def named_terms(model):
    variants = model.get("variant", [])
    named = [{name: word} for variant in variants for name, words in variant["when"].items() for word in words]
    return [{}] + [terms for number, terms in enumerate(named) if terms not in named[:number]]


def other_terms(model):
    """Two at once, and words that no price names."""
    named = named_terms(model)[1:]
    factors = {name for variant in model.get("variant", []) if "multiplier" in variant for name in variant["when"]}
    pairs = [first | second for first in named for second in named if first.keys() != second.keys()]
    with_factor = [pair for pair in pairs if factors & pair.keys()]
    distinct = [pair for number, pair in enumerate(with_factor) if pair not in with_factor[:number]]
    clash = [pair for pair in pairs if not factors & pair.keys()][:1]
    return distinct + clash + [{"service_tier": "scale"}, {"region": "x"}]


def of_model(model):
    """Now: every usage, every choice of terms with every prompt. At every boundary: every choice of terms."""
    turn = 0
    for terms in named_terms(model) + other_terms(model):
        for prompt in prompts(model):
            each = list(usages(model, prompt))
            picked = [each[0], each[1 + turn % 7]] if terms or prompt != 1_001 else each
            yield from ((NOW, terms, counts) for counts in picked)
            turn += 1
    for at in instants(model):
        for terms in named_terms(model):
            yield at, terms, list(usages(model, 1_001))[turn % 4]
            turn += 1
