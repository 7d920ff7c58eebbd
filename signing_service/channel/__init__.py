"""The server's end of the agent: pairing, log-in challenges, delivery of signature jobs, and taking signatures back.

Owns: paired agents, log-in tickets and challenges, signature jobs and batches with their states.
Comes in: prepared files with the officer's certificate, signatures and statements from agents. Goes out: the prepared
file to the officer's own agent; completed files to whoever submitted the job (`ports.Purpose`).
May not: trust what the agent says without checking it (every signature is checked against the prepared attributes and
the certificate, every statement against the officer's), hold a key of an officer, or know what a case is.
"""
