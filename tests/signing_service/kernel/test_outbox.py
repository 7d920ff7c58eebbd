from datetime import UTC, datetime

from signing_service.kernel import outbox

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def test_a_message_is_handed_on_until_its_consumer_has_it(database):
    seen, broken = [], [True]

    def consume(key, payload):
        seen.append((key, payload["n"]))
        if broken.pop() if broken else False:
            raise OSError("the consumer is away")

    with database.write() as session:
        outbox.publish(session, "topic", "a", {"n": 1}, NOW)
    assert outbox.deliver(database, "topic", consume, lambda: NOW) == 0
    assert outbox.deliver(database, "topic", consume, lambda: NOW) == 1
    assert outbox.deliver(database, "topic", consume, lambda: NOW) == 0
    assert seen == [("a", 1), ("a", 1)]
