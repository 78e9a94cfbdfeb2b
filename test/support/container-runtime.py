# What a container runtime does, in few lines: a read-only root, an own /proc and /dev, a user, a bounding set of
# capabilities, no_new_privs; then the program, as process 1. Run by `unshare --mount --pid --fork`.
import ctypes
import json
import os
import subprocess
import sys

PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
LAST_CAPABILITY = 40

root = sys.argv[1]
spec = json.loads(sys.argv[2])


def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True)


mount("--make-rprivate", "/")
mount("--bind", root, root)
mount("-t", "proc", "proc", f"{root}/proc")
mount("-t", "tmpfs", "-o", "mode=755,nosuid", "tmpfs", f"{root}/dev")
for device in ("null", "zero", "random", "urandom"):
    open(f"{root}/dev/{device}", "w").close()
    mount("--bind", f"/dev/{device}", f"{root}/dev/{device}")
for volume in spec["volumes"]:
    os.makedirs(root + volume["target"], exist_ok=True)
    mount("--bind", volume["source"], root + volume["target"])
    mount("-o", "remount,bind,ro", root + volume["target"])
mount("-o", "remount,bind,ro", root)

os.chroot(root)
os.chdir(spec["workingDir"])
libc = ctypes.CDLL(None, use_errno=True)
for capability in range(LAST_CAPABILITY + 1):
    if capability not in spec["capabilities"]:
        if libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
os.setgroups([])
os.setgid(spec["gid"])
os.setuid(spec["uid"])
if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
    raise OSError(ctypes.get_errno(), "prctl")
os.execvpe(spec["argv"][0], spec["argv"], spec["env"])
