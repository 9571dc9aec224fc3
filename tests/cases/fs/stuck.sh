#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: callers whose requests are stuck in the source do not keep others from theirs, nor
#        the daemon from ending
# red: NR_THREADS_MAX 500; PARKED_S 100; END_MS 100000; let loop_let_out() pass over the parked
# iommu: any
# host: first
# fs: any
# time: 300

# shellcheck source=tests/vm/fs.sh
. "${0%/*}/../../vm/fs.sh"
export PATH=/usr/bin:$PATH

# a lease is not taken away by force while this waits for all to be stuck
broken=/proc/sys/fs/lease-break-time
seconds=$(cat $broken)
trap 'echo $seconds >$broken' EXIT
echo 0 >$broken

mkdir at
touch "$T_DIR"/{quick,held}
fs_start "$T_DIR" at
python3 - "$T_DIR/held" "$server" "$pid" <<'END' || exit 1
import collections, fcntl, os, signal, sys, threading, time

held, server, pid = sys.argv[1:]
signal.alarm(280) # for whoever waits for an answer that never comes
signal.signal(signal.SIGIO, signal.SIG_IGN) # that somebody wants the lease
threading.stack_size(64 << 10)

def nr_threads():
    return len(os.listdir(f"/proc/{server}/task"))

# In which functions of the kernel the threads of a process wait
def where(process):
    functions = collections.Counter()
    for thread in os.listdir(f"/proc/{process}/task"):
        with open(f"/proc/{process}/task/{thread}/stack") as stack:
            functions[" ".join(line.split()[1].split("+")[0] for line in stack)] += 1
    return functions

def wait(what, seconds, done):
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            print("daemon:", where(server), "callers:", where("self"), sep="\n")
            sys.exit(f"{what}: not after {seconds} s, {nr_threads()} threads")
        time.sleep(0.2)

# Opening a file on which somebody has a lease waits in the source
lease = os.open(held, os.O_RDWR)
errors = []

def caller():
    try:
        os.close(os.open("at/held", os.O_RDONLY))
    except OSError as error:
        errors.append(error.errno)

def callers(nr):
    threads = [threading.Thread(target=caller, daemon=True) for i in range(nr)]
    for thread in threads:
        thread.start()
    return threads

def quick():
    start = time.monotonic()
    os.stat("at/quick")
    seconds = time.monotonic() - start
    if seconds > 30: # of slow machines, which start 512 threads meanwhile
        sys.exit(f"{seconds} s to answer, {nr_threads()} threads")
    return seconds

for i in range(100):
    os.stat("at/quick")
    os.close(os.open("at/new", os.O_CREAT))
    os.unlink("at/new")
print("one caller:", nr_threads(), "threads")
if nr_threads() > 64: # each time that the machine lets one wait, one more
    sys.exit("too many")

fcntl.fcntl(lease, fcntl.F_SETLEASE, fcntl.F_WRLCK)
start = time.monotonic()
threads = callers(512)
seconds = quick()
wait("512 stuck", 60, lambda: nr_threads() > 512)
print(f"512 callers are stuck after {time.monotonic() - start:.2f} s;",
      f"answers after {seconds:.3f} s and {quick():.3f} s")
fcntl.fcntl(lease, fcntl.F_SETLEASE, fcntl.F_UNLCK)
for thread in threads:
    thread.join()
if errors:
    sys.exit(f"errors: {set(errors)}")
wait("threads go", 30, lambda: nr_threads() < 40)

fcntl.fcntl(lease, fcntl.F_SETLEASE, fcntl.F_WRLCK)
threads = callers(40)
wait("40 stuck", 30, lambda: nr_threads() > 40)
os.kill(int(pid), signal.SIGTERM)
for thread in threads:
    thread.join()
if len(errors) != 40:
    sys.exit("callers got an answer from a daemon that has ended")
END
wait "$pid" || fail "the daemon failed: $?"
! mountpoint -q at || fail 'the mount is still there'
