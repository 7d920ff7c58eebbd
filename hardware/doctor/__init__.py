"""What is wrong with the keys on this machine, found without a PIN.

Owns: the findings and the examination that leads to them.
Comes in: a survey (`discovery`), modules, the time. Goes out: findings, each with a code, a level and what to do.
May not: log in, send a PIN, change anything on a token.
"""
