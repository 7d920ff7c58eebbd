"""What every room stands on: clock, database, blobs, audit log, outbox, jobs, outbound HTTP, page shell, problems.

Comes in: settings values and plain data. Goes out: sessions, stored bytes, log entries, HTTP replies.
May not: name a domain noun (no seal, no certificate, no case), or grow past about 1,200 lines.
"""
