"""Long texts to measure the speed of reading with: what a reporter's machine logs, and what a desk writes."""

from __future__ import annotations

from random import Random

_LOG = (
    '2026-11-04T05:{:02d}:{:02d}+09:00 fw01 allow tcp 198.51.100.{}:{} -> 203.0.113.{}:443 "GET http://host-{}.example/a/b.php?x={}'
    ' HTTP/1.1" 200 {} "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"'
)
_SENTENCES = (
    "お世話になっております。本日{}時{}分頃、監視端末から hxxps://host-{}[.]example/login への通信を確認しました。",
    "接続元は203[.]0[.]113[.]{}及び198.51.100.{}です。製品のバージョンは4.{}.1で、脆弱性はCVE-2024-{}と考えられます。",
    "The mail came from info[@]host-{}[.]example and carried invoice-{}.zip; nobody has opened it, and {} machines",
    "of {} were looked at by the team. Its hash is {:032x}. We will write again when the vendor has answered. {} {}",
)


def log(size: int) -> str:
    """Lines of a proxy."""
    random, lines, total = Random(1), [], 0  # noqa: S311 -- it makes texts.
    while total < size:
        numbers = [random.randrange(60), random.randrange(60), *(random.randrange(250) for _ in range(6))]
        lines.append(_LOG.format(*numbers))
        total += len(lines[-1]) + 1
    return "\n".join(lines)[:size]


def prose(size: int) -> str:
    """Sentences in Japanese and English."""
    random, lines, total = Random(2), [], 0  # noqa: S311 -- it makes texts.
    while total < size:
        lines.append(random.choice(_SENTENCES).format(*(random.randrange(10, 250) for _ in range(5))))
        total += len(lines[-1]) + 1
    return "\n".join(lines)[:size]
