"""A FUSE file system that never answers, for tests: hangfs.py [--well] MOUNTPOINT

Speaks just enough of the kernel's FUSE protocol (include/uapi/linux/fuse.h) to finish the mount: the
kernel's FUSE_INIT is answered, everything after it is read and left lying. With --well it says how
large it is (FUSE_STATFS) until SIGSTOP makes it hang. Needs root and nothing else; ends with SIGTERM
or SIGKILL, and the kernel then fails all calls that wait.
"""

import ctypes
import os
import struct
import sys

FUSE_STATFS = 17
FUSE_INIT = 26
ENOSYS = 38
MS_NOSUID, MS_NODEV = 2, 4


def mount(device: int, target: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other"
    failed = libc.mount(b"hangfs", target.encode(), b"fuse.hangfs", MS_NOSUID | MS_NODEV, options.encode())
    if failed:
        errno = ctypes.get_errno()
        sys.exit(f"cannot mount on {target}: {os.strerror(errno)} (it needs root)")


def answer_init(device: int) -> None:
    request = os.read(device, 1 << 17)
    _, opcode, unique = struct.unpack_from("<IIQ", request)
    if opcode != FUSE_INIT:
        sys.exit(f"the kernel sent opcode {opcode} before FUSE_INIT")
    # struct fuse_init_out of protocol 7.31: version, no read-ahead, no flags, 4 KiB writes.
    body = struct.pack("<IIIIHHIIHHI28x", 7, 31, 0, 0, 12, 9, 4096, 1, 0, 0, 0)
    os.write(device, struct.pack("<IiQ", 16 + len(body), 0, unique) + body)


def answer_size(device: int, request: bytes) -> None:
    _, opcode, unique = struct.unpack_from("<IIQ", request)
    if opcode != FUSE_STATFS:
        os.write(device, struct.pack("<IiQ", 16, -ENOSYS, unique))
        return
    # struct fuse_kstatfs: 1000 blocks of 4 KiB, 400 free, 300 for users; 100 files, 50 free.
    body = struct.pack("<QQQQQIII28x", 1000, 400, 300, 100, 50, 4096, 255, 4096)
    os.write(device, struct.pack("<IiQ", 16 + len(body), 0, unique) + body)


def main() -> None:
    well = sys.argv[1] == "--well"
    device = os.open("/dev/fuse", os.O_RDWR)
    mount(device, sys.argv[-1])
    answer_init(device)
    print("mounted", flush=True)
    while True:
        request = os.read(device, 1 << 17)
        if well:
            answer_size(device, request)


if __name__ == "__main__":
    main()
