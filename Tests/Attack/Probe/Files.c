// Ways to files, and to what descriptors can do.
#define _GNU_SOURCE
#include "Table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int given_directory(void) { return open(facts.dir, O_RDONLY | O_DIRECTORY); }
int given_file(void) {
    char name[256] = {0};
    for (size_t i = 0; facts.dir[i] && i < sizeof(facts.dir); i++) name[i] = facts.dir[i];
    size_t length = 0;
    while (name[length]) length++;
    const char end[] = "/file";
    for (size_t i = 0; i < sizeof(end); i++) name[length + i] = end[i];
    return open(name, O_RDWR);
}
static int given_terminal(void) {
    int outer = posix_openpt(O_RDWR);
    return outer >= 0 && grantpt(outer) == 0 && unlockpt(outer) == 0 ? open(ptsname(outer), O_RDWR | O_NOCTTY) : -1;
}

#define OPEN(what, where, flags) {.attempt = what, .number = SYS_openat, .path = where, .arguments = {AT_FDCWD, PATH, flags, 0600}, .worker = EACCES, .ssh = EACCES}
// What else can be done to a path: most calls take it first, those of `at` second.
#define FIRST(what, call, where, w, s, ...) {.attempt = what, .number = call, .path = where, .arguments = {PATH, __VA_ARGS__}, .worker = w, .ssh = s}
#define AT(what, call, where, w, s, ...) {.attempt = what, .number = call, .path = where, .arguments = {AT_FDCWD, PATH, __VA_ARGS__}, .worker = w, .ssh = s}
#define ON(what, call, give, w, s, ...) {.attempt = what, .number = call, .given = give, .arguments = {HELD, __VA_ARGS__}, .worker = w, .ssh = s}

const struct row file_rows[] = {
    OPEN("read a private key", "$dir/key", O_RDONLY | O_CLOEXEC),
    OPEN("read /etc/shadow", "/etc/shadow", O_RDONLY),
    {.attempt = "read /etc/passwd", .number = SYS_openat, .path = "/etc/passwd", .arguments = {AT_FDCWD, PATH, O_RDONLY | O_CLOEXEC}, .worker = EACCES, .ssh = WORKS, .note = "ssh needs it"},
    OPEN("read the daemon's configuration", "$config", O_RDONLY),
    OPEN("list a directory", "$dir", O_RDONLY | O_NONBLOCK | O_DIRECTORY | O_CLOEXEC),
    OPEN("list /etc", "/etc", O_RDONLY | O_NONBLOCK | O_DIRECTORY | O_CLOEXEC),
    OPEN("list /proc", "/proc", O_RDONLY | O_DIRECTORY),
    OPEN("read the memory of the supervisor", "/proc/$supervisor/mem", O_RDWR),
    OPEN("read the environment of the supervisor", "/proc/$supervisor/environ", O_RDONLY),
    OPEN("read the map of the supervisor", "/proc/$supervisor/maps", O_RDONLY),
    OPEN("open a descriptor of the supervisor", "/proc/$supervisor/fd/0", O_RDONLY),
    OPEN("read the memory of the gate", "/proc/$gate/mem", O_RDWR),
    OPEN("read the environment of the gate", "/proc/$gate/environ", O_RDONLY),
    OPEN("read the map of the gate", "/proc/$gate/maps", O_RDONLY),
    OPEN("open a descriptor of the gate", "/proc/$gate/fd/0", O_RDONLY),
    OPEN("read the memory of another process", "/proc/$other/mem", O_RDWR),
    OPEN("read the environment of another process", "/proc/$other/environ", O_RDONLY),
    OPEN("open the directory of another process", "/proc/$other/cwd", O_RDONLY | O_DIRECTORY),
    OPEN("read what process 1 was started with", "/proc/1/cmdline", O_RDONLY),
    OPEN("read its own memory by /proc", "/proc/self/mem", O_RDWR),
    OPEN("read its own environment by /proc", "/proc/self/environ", O_RDONLY),
    {.attempt = "open its own pipe anew", .number = SYS_openat, .path = "/proc/self/fd/0", .arguments = {AT_FDCWD, PATH, O_RDWR}, .worker = EACCES, .ssh = WORKS, .note = "Landlock does not judge pipes, and it leads to who has the pipe"},
    OPEN("open what it reads and writes by /dev", "/dev/stdin", O_WRONLY | O_APPEND),
    OPEN("write a file", "$dir/file", O_WRONLY),
    OPEN("read and write a file", "$dir/file", O_RDWR | O_CLOEXEC),
    OPEN("make a file", "$dir/new", O_WRONLY | O_CREAT),
    OPEN("make a file that was not there", "$dir/new", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC),
    OPEN("make a file without a name (O_TMPFILE)", "$dir", O_RDWR | O_TMPFILE),
    OPEN("empty a file (O_TRUNC)", "$dir/file", O_WRONLY | O_TRUNC),
    OPEN("empty a file that is read only (O_TRUNC)", "$dir/file", O_RDONLY | O_TRUNC),
    OPEN("append to a file (O_APPEND)", "$dir/file", O_WRONLY | O_APPEND),
    OPEN("name a file (O_PATH)", "$dir/key", O_PATH),
    OPEN("name a directory (O_PATH)", "/", O_PATH | O_DIRECTORY),
    OPEN("open a file for ioctl and leases alone (access mode 3)", "$dir/file", 3),
    OPEN("open a file with signals (O_ASYNC)", "$dir/file", O_RDWR | O_ASYNC),
    OPEN("open a file past the cache (O_DIRECT)", "$dir/file", O_RDWR | O_DIRECT),
    OPEN("open a file with a flag that nobody has", "$dir/file", O_RDONLY | 0x40000000),
    OPEN("open a terminal", "/dev/tty", O_RDWR),
    OPEN("make a terminal", "/dev/ptmx", O_RDWR),
    OPEN("open a FUSE device", "/dev/fuse", O_RDWR),
    OPEN("open a disk's memory of shared pages", "/dev/shm", O_RDWR | O_TMPFILE),
    {.attempt = "open a file in a directory that it was given", .number = SYS_openat, .path = "file", .given = given_directory, .arguments = {HELD, PATH, O_RDONLY}, .worker = EACCES, .ssh = SKIP},
#ifdef SYS_open
    FIRST("read a private key: open", SYS_open, "$dir/key", EACCES, EACCES, O_RDONLY),
    FIRST("make a file: open", SYS_open, "$dir/new", EACCES, EACCES, O_RDWR | O_CREAT, 0600),
    FIRST("make a file: creat", SYS_creat, "$dir/new", KILLED, KILLED, 0600),
    FIRST("make a directory", SYS_mkdir, "$dir/new", KILLED, EACCES, 0700),
    FIRST("remove a file: unlink", SYS_unlink, "$dir/file", KILLED, KILLED, 0),
#endif
    AT("open a file: openat2", SYS_openat2, "$dir/key", KILLED, ENOSYS, ZEROS, 24),
    CALL("open a file by its handle", SYS_open_by_handle_at, KILLED, KILLED, AT_FDCWD, ZEROS, O_RDONLY),
    AT("get a file's handle", SYS_name_to_handle_at, "$dir/key", KILLED, KILLED, ZEROS, ZEROS, 0),
    {.attempt = "look whether a file is there, and what it is", .number = SYS_newfstatat, .path = "$dir/key", .arguments = {AT_FDCWD, PATH, ZEROS, 0}, .worker = EACCES, .ssh = WORKS, .note = "Landlock has no right for that"},
    {.attempt = "read a link", .number = SYS_readlinkat, .path = "$dir/link", .arguments = {AT_FDCWD, PATH, ZEROS, 256}, .worker = EACCES, .ssh = WORKS, .note = "Landlock has no right for that"},
    AT("read which program the supervisor is", SYS_readlinkat, "/proc/$supervisor/exe", EACCES, EACCES, ZEROS, 256),
    AT("read what the gate has open", SYS_readlinkat, "/proc/$gate/fd/3", EACCES, EACCES, ZEROS, 256),
    AT("make a directory: mkdirat", SYS_mkdirat, "$dir/new", KILLED, EACCES, 0700),
    AT("make a device or FIFO", SYS_mknodat, "$dir/new", KILLED, KILLED, S_IFIFO | 0600, 0),
    AT("remove a file", SYS_unlinkat, "$dir/file", KILLED, KILLED, 0),
    AT("rename a file", SYS_renameat2, "$dir/file", KILLED, KILLED, AT_FDCWD, PATH, 0),
    AT("link a file", SYS_linkat, "$dir/key", KILLED, KILLED, AT_FDCWD, PATH, 0),
    {.attempt = "make a symlink", .number = SYS_symlinkat, .path = "$dir/new", .arguments = {PATH, AT_FDCWD, PATH}, .worker = KILLED, .ssh = KILLED},
    AT("change a file's mode", SYS_fchmodat, "$dir/file", KILLED, KILLED, 0777),
    AT("change a file's owner", SYS_fchownat, "$dir/file", KILLED, KILLED, 0, 0, 0),
    AT("change a file's times", SYS_utimensat, "$dir/file", KILLED, KILLED, 0, 0),
    FIRST("cut a file", SYS_truncate, "$dir/file", KILLED, KILLED, 0),
    FIRST("set an attribute of a file", SYS_setxattr, "$dir/file", KILLED, KILLED, ZEROS, ZEROS, 1, 0),
    FIRST("read an attribute of a file", SYS_getxattr, "$dir/file", KILLED, KILLED, ZEROS, ZEROS, 1),
    FIRST("look at a file system", SYS_statfs, "/", KILLED, ENOENT, ZEROS),
    FIRST("change its directory", SYS_chdir, "$dir", KILLED, KILLED, 0),
    CALL("watch files (inotify)", SYS_inotify_init1, KILLED, KILLED, 0),
    CALL("watch file systems (fanotify)", SYS_fanotify_init, KILLED, KILLED, 0, 0),
    ON("cut a file that it was given", SYS_ftruncate, given_file, KILLED, KILLED, 0),
    ON("make room in a file that it was given", SYS_fallocate, given_file, KILLED, KILLED, 0, 0, 4096),
    ON("change the mode of a file that it was given", SYS_fchmod, given_file, KILLED, KILLED, 0777),
    ON("go to a directory that it was given", SYS_fchdir, given_directory, KILLED, KILLED, 0),
    ON("list a directory that it was given", SYS_getdents64, given_directory, KILLED, SKIP, ZEROS, 4096),
    ON("lock a file (flock)", SYS_flock, given_file, KILLED, KILLED, 2),
    ON("lock a part of a file (F_SETLK)", SYS_fcntl, given_file, KILLED, KILLED, F_SETLK, ZEROS),
    ON("lock a part of a file (F_OFD_SETLK)", SYS_fcntl, given_file, KILLED, KILLED, F_OFD_SETLK, ZEROS),
    ON("make a pipe that a ControlMaster shares wait (F_SETFL)", SYS_fcntl, given_stream, KILLED, SKIP, F_SETFL, O_WRONLY),
    ON("have one that does not wait send signals (F_SETFL)", SYS_fcntl, given_stream, KILLED, SKIP, F_SETFL, O_WRONLY | O_NONBLOCK | O_ASYNC),
    ON("take a lease of a file (F_SETLEASE)", SYS_fcntl, given_file, KILLED, KILLED, F_SETLEASE, F_RDLCK),
    ON("be told of a directory (F_NOTIFY)", SYS_fcntl, given_directory, KILLED, KILLED, F_NOTIFY, 1),
    ON("have the supervisor get signals of a descriptor (F_SETOWN)", SYS_fcntl, given_file, KILLED, KILLED, F_SETOWN, SUPERVISOR),
    ON("have it get them: F_SETOWN_EX", SYS_fcntl, given_file, KILLED, KILLED, F_SETOWN_EX, ZEROS),
    ON("choose the signal (F_SETSIG)", SYS_fcntl, given_file, KILLED, KILLED, F_SETSIG, 9),
    ON("have it get them: FIOSETOWN", SYS_ioctl, given_file, KILLED, KILLED, 0x8901, ZEROS),
    ON("have it get them: SIOCSPGRP", SYS_ioctl, given_stream, KILLED, KILLED, 0x8902, ZEROS),
    ON("turn the signals on (FIOASYNC)", SYS_ioctl, given_file, KILLED, KILLED, FIOASYNC, ZEROS),
    ON("make a pipe larger (F_SETPIPE_SZ)", SYS_fcntl, given_file, KILLED, KILLED, F_SETPIPE_SZ, 1 << 20),
    ON("type into a terminal that it was given (TIOCSTI)", SYS_ioctl, given_terminal, KILLED, KILLED, TIOCSTI, ZEROS),
    ON("paste into a console that it was given (TIOCLINUX)", SYS_ioctl, given_terminal, KILLED, KILLED, TIOCLINUX, ZEROS),
    ON("take a terminal that it was given (TIOCSCTTY)", SYS_ioctl, given_terminal, KILLED, KILLED, TIOCSCTTY, 1),
    ON("give a terminal away (TIOCSPGRP)", SYS_ioctl, given_terminal, KILLED, KILLED, TIOCSPGRP, ZEROS),
    ON("copy a file in the kernel (sendfile)", SYS_sendfile, given_file, KILLED, KILLED, HELD, 0, 1),
    ON("copy a file in the kernel (copy_file_range)", SYS_copy_file_range, given_file, KILLED, KILLED, 0, HELD, 0, 1, 0),
    ON("move bytes in the kernel (splice)", SYS_splice, given_file, KILLED, KILLED, 0, HELD, 0, 1, 0),
    CALL("put memory into a pipe (vmsplice)", SYS_vmsplice, KILLED, KILLED, 1, ZEROS, 1, 0),
    {.attempt = "write into its policy", .number = SYS_write, .arguments = {POLICY, ZEROS, 1}, .worker = EPERM, .ssh = SKIP},
    {.attempt = "unseal its policy (F_ADD_SEALS)", .number = SYS_fcntl, .arguments = {POLICY, F_ADD_SEALS, 0}, .worker = KILLED, .ssh = KILLED},
    CALL("make a file in memory (memfd_create)", SYS_memfd_create, KILLED, KILLED, ZEROS, 0),
#ifdef SYS_memfd_secret
    CALL("make a file in memory (memfd_secret)", SYS_memfd_secret, KILLED, KILLED, 0),
#endif
};
const size_t file_row_count = COUNT(file_rows);
