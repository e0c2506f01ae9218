"""Tasks in threads and processes: their results, what they raise, and workers that are lost or cannot start."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from slipcast.errors import InputError, SlipcastWarning
from slipcast.parallel import executor
from slipcast.parallel.executor import run_tasks, worker_count


def add(shared: int, task: int) -> tuple[int, int]:
    time.sleep(0.01)
    return shared + task, os.getpid()


def fail_at_three(shared, task: int) -> int:
    if task == 3:
        raise InputError(f"task must not be 3, got {task}")
    return task


def raise_what_cannot_be_sent(shared, task):
    raise ValueError(threading.Lock())


def return_what_cannot_be_sent(shared, task):
    return threading.Lock()


class Counted:
    """What tasks share; counts in a file how often it was sent."""

    def __init__(self, file: Path):
        self.file = file

    def __reduce__(self):
        with self.file.open("a") as file:
            file.write("sent\n")
        return Counted, (self.file,)


def file_name(shared: Counted, task: int) -> str:
    return shared.file.name


def end_the_first_time(marker: Path, task: int) -> int:
    if task == 2 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return 10 * task


def end_always(shared, task):
    os.kill(os.getpid(), signal.SIGKILL)


def sleep_long(shared: Path, task: int) -> None:
    (shared / f"{task}").touch()
    time.sleep(600)


def in_processes(function, tasks, **options):
    return run_tasks(function, tasks, kind="processes", workers=2, **options)


def test_numbers_of_workers():
    assert worker_count(3) == 3
    assert worker_count(None) == os.cpu_count()
    for number in (0, -1):
        with pytest.raises(InputError, match=f"workers must be >= 1, got {number}"):
            worker_count(number)


@pytest.mark.parametrize("how", [{"kind": "threads", "workers": 3}, {"kind": "processes"}])
def test_tasks_in_this_process(how):
    tasks = [(100 * (task % 2), task) for task in range(9)]
    found = dict(run_tasks(add, tasks, **how))
    assert {task: result for task, (result, _) in found.items()} == {task: sum((s, task)) for s, task in tasks}
    assert {pid for _, pid in found.values()} == {os.getpid()}
    assert not list(run_tasks(add, [], **how))


@pytest.mark.slow
@pytest.mark.parametrize("take_part", [False, True])
def test_tasks_in_processes(take_part):
    tasks = [(100 * (task % 2), task) for task in range(400 if take_part else 20)]
    found = dict(in_processes(add, tasks, take_part=take_part))
    assert {task: result for task, (result, _) in found.items()} == {task: sum((s, task)) for s, task in tasks}
    pids = {pid for _, pid in found.values()}
    assert (os.getpid() in pids) == take_part
    assert pids - {os.getpid()}
    assert not multiprocessing.active_children()


def test_one_task_needs_no_process():
    ((task, (result, pid)),) = in_processes(add, [(1, 2)])
    assert (task, result, pid) == (2, 3, os.getpid())


def test_what_tasks_share_is_sent_once_to_a_worker(tmp_path):
    shared = Counted(tmp_path / "count")
    assert len(list(in_processes(file_name, ((shared, task) for task in range(30))))) == 30
    assert 1 <= len(shared.file.read_text().splitlines()) <= 2


@pytest.mark.parametrize("ahead", [1, 3])
def test_tasks_are_asked_for_as_there_are_workers(ahead):
    asked = 0

    def tasks():
        nonlocal asked
        for task in range(30):
            asked += 1
            yield 0, task

    with closing(in_processes(add, tasks(), ahead=ahead)) as results:
        for done, _ in enumerate(results, start=1):
            assert asked <= done - 1 + 2 * ahead + 1


@pytest.mark.parametrize("how", [{"kind": "threads"}, {"kind": "processes"}, {"kind": "processes", "workers": 2}])
def test_what_a_task_raises_is_raised(how):
    with pytest.raises(InputError, match="task must not be 3, got 3"):
        list(run_tasks(fail_at_three, ((None, task) for task in range(8)), **how))
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("function", [raise_what_cannot_be_sent, return_what_cannot_be_sent])
def test_what_cannot_be_sent_is_told(function):
    with pytest.raises(RuntimeError, match=r"lock"):
        list(in_processes(function, [(None, 1), (None, 2)]))


def test_a_killed_process_leaves_its_task_to_another(tmp_path):
    tasks = ((tmp_path / "ended", task) for task in range(8))
    with pytest.warns(SlipcastWarning, match="one of 2 workers was killed, perhaps for want of memory; continuing"):
        found = dict(in_processes(end_the_first_time, tasks))
    assert found == {task: 10 * task for task in range(8)}


def test_a_task_that_kills_every_process_is_the_end():
    message = "all workers were killed, perhaps for want of memory; ask for fewer, what is done is kept"
    with pytest.warns(SlipcastWarning, match="one of 2 workers"), pytest.raises(InputError, match=message):
        list(in_processes(end_always, [(None, task) for task in range(4)]))


def test_processes_end_at_once_in_the_middle_of_a_task(tmp_path):
    results = in_processes(sleep_long, ((tmp_path, task) for task in range(4)), ahead=1)

    def interrupt():
        while len(list(tmp_path.iterdir())) < 2:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        next(results)
    begin = time.monotonic()
    results.close()
    assert time.monotonic() - begin < 5
    assert not multiprocessing.active_children()


def test_threads_are_asked_to_stop():
    stop = threading.Event()

    def wait(shared, task):
        if task:
            assert stop.wait(60)
        return task

    with closing(run_tasks(wait, [(None, 0), (None, 1)], kind="threads", workers=2, stop=stop)) as results:
        assert next(results) == (0, 0)
        assert not stop.is_set()
    assert stop.is_set()


SCRIPT = """
    import operator, sys
    from slipcast.errors import InputError
    from slipcast.parallel.executor import run_tasks
    def main():
        try:
            print(sorted(run_tasks(operator.add, [(1, k) for k in range(4)], kind="processes", workers=2)))
        except InputError as error:
            sys.exit(f"told: {error}")
"""


@pytest.mark.parametrize("guard", [True, False])
def test_scripts_with_and_without_their_guard(tmp_path, guard):
    end = 'if __name__ == "__main__":\n    main()\n' if guard else "main()\n"
    (tmp_path / "script.py").write_text(textwrap.dedent(SCRIPT) + end)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "script.py")], capture_output=True, text=True, check=False, timeout=60
    )
    if guard:
        assert done.stdout == "[(0, 1), (1, 2), (2, 3), (3, 4)]\n", done.stderr
    else:
        last = done.stderr.splitlines()[-1]
        assert last == (
            "told: a worker ended with exit code 1 before it began; a script that asks for several workers needs "
            'if __name__ == "__main__":'
        )


def test_a_process_outlives_no_parent(tmp_path):
    script = """
        import sys
        from pathlib import Path
        from test_executor import in_processes, sleep_long
        list(in_processes(sleep_long, [(Path(sys.argv[1]), task) for task in range(2)], ahead=1))
    """
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)]
    with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path}) as parent:
        deadline = time.monotonic() + 60
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(list(tmp_path.iterdir())) == 2
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        parent.kill()
    workers = [pid for pid in children if is_worker(pid)]
    deadline = time.monotonic() + 5
    while workers and time.monotonic() < deadline:
        time.sleep(0.02)
        workers = [pid for pid in workers if is_worker(pid)]
    assert len(children) >= 2
    assert not workers


def is_worker(pid: str) -> bool:
    """Tell whether a process of this number runs, and is a worker."""
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def test_a_result_is_sent_back_whole():
    # more than a pipe holds, both ways
    tasks = [(bytes(1_000_000), bytes([task]) * 300_000) for task in range(4)]
    found = sorted(in_processes(join, tasks))
    assert [result for _, result in found] == [shared + task for shared, task in tasks]


def join(shared: bytes, task: bytes) -> bytes:
    return shared + task


def test_what_a_worker_says_can_be_pickled():
    assert pickle.loads(pickle.dumps(executor._Task(3))) == executor._Task(3)


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="this system cannot hold signals back")
def test_processes_begin_with_interrupts_held_back(tmp_path):
    script = tmp_path / "begin.py"
    script.write_text("""
import multiprocessing
import signal
from slipcast.parallel.executor import _without_interrupts


def nothing():
    pass


if __name__ == "__main__":
    with _without_interrupts():
        process = multiprocessing.get_context("spawn").Process(target=nothing)
        process.start()
        print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))
    process.join()
    print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))
""")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
