"""Views over the log: who verified or read a licence, when, for what; refusals for the auditor.

Comes in: log entries of both services. Goes out: plain rows without personal numbers. May not: change anything.
"""
