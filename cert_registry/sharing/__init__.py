"""Sharing with departments: grants, holders' consents, purpose-bound copies, the event feed.

Owns: who may do what with which type for which matter, until when; the copies made for one recipient and purpose.
Comes in: a department, what it wants, the licence's facts. Goes out: an allowed access with its fields, or a refusal
that names the missing grant. May not: change a licence, judge a signature. Nothing is allowed unless recorded.
"""
