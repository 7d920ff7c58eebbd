"""The one verification engine: every page, QR link, API and command judges documents here, and nowhere else.

Owns: the numbered checks in the order of EN 319 102-1, the two times (at sealing, now), the reason codes and
their sentences, the report. Comes in: the bytes of a file, a `Policy` (anchors by purpose, time, revocation data,
limits) and a `StatusSource` for facts that live above. Goes out: a `Report`; any input gives one, never a traceback.
May not: open a file, read a clock, fetch anything except through the `Fetcher` that the policy holds, import a room
beside it.

Reading order: `engine` (the procedure), `integrity`, `trust`, `acceptance` and `timestamps` (the checks of one
signature), `later_changes` and `comparison` (what happened after signing), `chain` and `revocation` (whom to believe),
`conclusion` (the worst finding wins), `syntax` and `document` (a PDF reader of its own that is strict about positions,
because most attacks live in the gap between two readers).
"""
