"""Approvals (办件): the course of one case from intake to release, and the documents that it produces.

Owns: cases, routes and steps, document versions, numbers (文号), deadlines and cards, query codes (查询码), the
layouts of the internal form (审批表) and of the outward approval (批复), simulated approvals.
Comes in: what an applicant files, completed (signed or sealed) files together with an examiner that judges them, a
clock. Goes out: documents with the places of their signatures in mm, states, and the outbox message
`approval_released`, written in the same transaction as the release.
May not: touch a key, judge a signature itself, or know what a licence is.

Reading order: `rules` (states and moves as data), `register` (tables), `course` (the main line), then the side lines:
`documents`, `material_notices`, `returning`, `delegation`, `lease`, `clock_changes`, `simulated`, `conversion`,
`query_codes`; what is told outside: `case_events`, `case_webhooks`, `case_notices`; who hands in: `platforms`.
"""
