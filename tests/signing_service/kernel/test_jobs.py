import json
import threading
from datetime import UTC, datetime

import pytest
from huey.registry import Message

from signing_service.kernel.jobs import Jobs, JsonSerializer


@pytest.fixture
def jobs(database_url):
    made = Jobs(database_url)
    yield made
    made.close()


def test_a_woken_task_runs_in_the_worker_with_its_row_ids(jobs, database_url):
    seen, arrived = [], threading.Event()

    def note(row, name):
        seen.append((row, name))
        arrived.set()

    jobs.task("licence.register", note)
    jobs.wake("licence.register", 7, "示例")
    worker = jobs.worker()
    worker.start()
    assert arrived.wait(20)
    worker.stop(graceful=True)
    assert seen == [(7, "示例")]


def test_another_process_wakes_the_same_task(jobs, database_url):
    arrived = threading.Event()
    jobs.task("outbox", lambda: arrived.set())
    waker = Jobs(database_url)
    waker.task("outbox", lambda: None)
    waker.wake("outbox")
    waker.close()
    worker = jobs.worker()
    worker.start()
    assert arrived.wait(20)
    worker.stop(graceful=True)


def test_messages_are_json(jobs):
    jobs.task("outbox", lambda row: None)
    jobs.wake("outbox", 3)
    raw = bytes(jobs.huey.storage.dequeue())
    assert json.loads(raw)["message"]["args"] == [3]


def test_what_is_no_row_id_is_refused(jobs):
    jobs.task("outbox", lambda row: None)
    with pytest.raises(TypeError):
        jobs.wake("outbox", object())
    with pytest.raises(TypeError):
        jobs.wake("outbox", b"bytes")


def test_the_serializer_gives_back_what_it_got():
    eta = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
    message = Message("1", "task_x", eta, 3, args=(1, "二"), kwargs={"message": 4})
    serializer = JsonSerializer()
    assert serializer.deserialize(serializer.serialize(message)) == message
    assert serializer.deserialize(serializer.serialize((eta, False, None))) == (eta, False, None)


def test_a_failing_task_does_not_stop_the_worker(jobs):
    arrived = threading.Event()
    jobs.task("fails", lambda: 1 / 0)
    jobs.task("works", lambda: arrived.set())
    jobs.wake("fails")
    jobs.wake("works")
    worker = jobs.worker()
    worker.start()
    assert arrived.wait(20)
    worker.stop(graceful=True)
