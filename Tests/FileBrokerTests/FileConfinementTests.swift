import CLinux
import CProbes
import Foundation
import Glibc
import IPC
import Sandbox
import TestSupport
import Testing

@testable import FileBroker

/// What a broker cannot do. Each test confines one thread of a process of its own, and dies for real where that is the claim.
@Suite struct FileConfinementTests {
    /// A thread's own confinement to `roots`: the count of threads is the process's, and has a test elsewhere.
    static func confine(_ roots: [String]) {
        do throws(SandboxError) {
            try Limits(data: 1 << 30, addressSpace: 64 << 30, openFiles: 96, addedTasks: nil).apply()
            try Capabilities.drop()
            _ = try Landlock.restrict(required: false) { ruleset throws(SandboxError) in
                for root in roots {
                    let directory = open(root, CSD_O_PATH | O_CLOEXEC)
                    try ruleset.allow(FileConfinement.access, on: directory, root)
                }
            }
            try SeccompFilter.load(FileSyscalls.rules)
        } catch {
            exit(99)
        }
    }

    /// Not every architecture has all.
    static let forbidden = names.filter { probe_number($0) >= 0 }

    private static let names = [
        "socket", "socketpair", "connect", "bind", "listen", "accept4", "execve", "execveat", "fork", "vfork", "clone",
        "clone3", "ptrace", "process_vm_readv", "memfd_create", "io_uring_setup", "userfaultfd", "bpf", "keyctl",
        "mount", "umount2", "pivot_root", "chroot", "unshare", "setns", "chdir", "fchmodat", "fchownat", "symlinkat",
        "mkdirat", "mknodat", "truncate", "ftruncate", "utimensat", "setxattr", "kill", "tkill", "pidfd_open",
        "pidfd_getfd", "setuid", "capset", "seccomp", "setrlimit", "prlimit64", "dup2", "dup3", "ioctl", "getdents64",
        "open_by_handle_at", "name_to_handle_at", "splice", "sendfile", "copy_file_range", "setsockopt", "shmget",
        "inotify_init1", "fanotify_init", "personality", "setsid", "setpgid", "epoll_create1", "timerfd_create",
    ]

    @Test("a system call outside the table ends the process", arguments: forbidden)
    func forbiddenCallKills(name: String) async {
        await #expect(processExitsWith: .signal(SIGSYS)) { [name = name as String] in
            let number = probe_number(name)
            guard number >= 0 else { exit(98) }
            FileConfinementTests.confine([])
            _ = probe_syscall(number, -1, -1, -1, -1, -1, -1)
            exit(0)
        }
    }

    /// Calls whose arguments decide: name and arguments.
    static let forbiddenArguments: [(String, [Int])] = [
        // O_RDWR, O_RDONLY that waits, access mode 3, O_WRONLY of what exists, O_TRUNC.
        ("openat", [-100, 0, 2]), ("openat", [-100, 0, 0]), ("openat", [-100, 0, 3]), ("openat", [-100, 0, 0o2000001]),
        ("openat", [-100, 0, 0o2001001]),
        // Memory that is executable or becomes so.
        ("mmap", [0, 4096, 5, 0x22, -1, 0]), ("mprotect", [4096, 4096, 5]),
        // F_SETLEASE, F_SETSIG, F_SETPIPE_SZ, F_SETFL, F_DUPFD.
        ("fcntl", [0, 1024, 0]), ("fcntl", [0, 10, 0]), ("fcntl", [0, 1031, 1 << 20]), ("fcntl", [0, 4, 0]),
        ("fcntl", [0, 0, 0]),
        // Other files than standard output and error.
        ("write", [3, 0, 0]), ("write", [0, 0, 0]),
        // What they are stays what it was.
        ("close", [0]), ("close", [1]), ("close", [2]), ("close", [1 << 32 | 2]),
        // A signal to another process.
        ("tgkill", [1, 1, 0]),
    ]

    @Test("arguments outside the table end the process", arguments: forbiddenArguments.indices)
    func forbiddenArgumentsKill(index: Int) async {
        await #expect(processExitsWith: .signal(SIGSYS)) { [index = index as Int] in
            let (name, given) = FileConfinementTests.forbiddenArguments[index]
            let arguments = given + Array(repeating: 0, count: 6 - given.count)
            FileConfinementTests.confine([])
            _ = probe_syscall(
                probe_number(name), arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5])
            exit(0)
        }
    }

    @Test("with local_roots nothing outside them can be opened, made, linked or replaced, whatever the code would say")
    func landlock() async throws {
        guard csd_landlock_abi() > 0 else { return }
        let directory = try TemporaryDirectory()
        for name in ["root", "outside"] { mkdir(directory.file(name), 0o700) }
        try directory.write("root/f", "f")
        try directory.write("outside/f", "f")
        let base = directory.path
        await #expect(processExitsWith: .success) { [base = base as String] in
            FileConfinementTests.confine(["\(base)/root"])
            let reading = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK
            let making = O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC
            guard open("\(base)/root/f", reading) >= 0 else { exit(1) }
            guard open("\(base)/root/new", making, 0o600) >= 0 else { exit(2) }
            let unnamed = open("\(base)/root", CSD_O_TMPFILE | O_WRONLY | O_CLOEXEC, 0o600)
            guard unnamed >= 0 else { exit(3) }
            for (index, path) in ["\(base)/outside/f", "/etc/passwd", "/proc/self/maps", "/dev/null"].enumerated() {
                guard open(path, reading) == -1, errno == EACCES else { exit(Int32(10 + index)) }
            }
            guard open("\(base)/outside/new", making, 0o600) == -1, errno == EACCES else { exit(20) }
            guard open("\(base)/outside", CSD_O_TMPFILE | O_WRONLY | O_CLOEXEC, 0o600) == -1, errno == EACCES else {
                exit(21)
            }
            let name = "/proc/self/fd/\(unnamed)"
            guard linkat(AT_FDCWD, name, AT_FDCWD, "\(base)/root/named", AT_SYMLINK_FOLLOW) == 0 else { exit(22) }
            guard rename("\(base)/root/named", "\(base)/outside/named") == -1 else { exit(23) }
            guard linkat(AT_FDCWD, "\(base)/outside/f", AT_FDCWD, "\(base)/root/l", 0) == -1 else { exit(24) }
            guard unlinkat(AT_FDCWD, "\(base)/outside/f", 0) == -1, errno == EACCES else { exit(25) }
            guard rename("\(base)/root/named", "\(base)/root/f") == 0 else { exit(26) }
            guard unlinkat(AT_FDCWD, "\(base)/root/new", 0) == 0 else { exit(27) }
            exit(0)
        }
        for name in ["root/f", "root/new", "root/named", "outside/f"] { unlink(directory.file(name)) }
    }

    @Test("every file operation of the service passes the filter", arguments: [false, true])
    func service(replaces: Bool) async throws {
        let directory = try TemporaryDirectory()
        mkdir(directory.file("root"), 0o700)
        try directory.write("root/old", "old")
        let base = directory.path
        await #expect(processExitsWith: .success) { [base = base as String, replaces = replaces as Bool] in
            let rules = LocalRules(
                roots: [LocalRoot("\(base)/root")], home: base, own: OwnPath.all([.init("\(base)/own", "own")]))
            var files = LocalFiles(rules, allowOverwrite: replaces)
            let next = FilePolicy(
                roots: [], home: nil,
                own: [
                    .init("/nowhere/log", "log"), .init("/s", "s", isSocket: true),
                    .init("/usr/bin/../bin/env", "a program"),
                    .init("/usr/bin/../libexec/none", "a program"), .init("/usr/lib/..", "odd"),
                    .init("/etc/passwd", "a file"),
                    .init("/usr/.", "odd"), .init("/etc/mtab", "a link"),
                ])
            guard let memory = try? next.sealed() else { exit(90) }
            FileConfinementTests.confine(["\(base)/root"])
            guard let update = try? FilePolicy(sealed: memory), update == next else { exit(91) }
            files.update(own: OwnPath.all(update.own))
            var step: Int32 = 1
            do throws(LocalRefusal) {
                _ = try files.open("\(base)/root/old")
                step = 2
                let pending = try files.create("\(base)/root/\(replaces ? "old" : "new")")
                step = 3
                _ = try files.commit(pending)
                step = 4
                _ = try files.create("\(base)/root/dropped")
            } catch {
                FileHandle.standardError.write(Data(error.sentence.utf8))
                exit(step)
            }
            guard files.rules.changedRoot(of: "\(base)/root/x") == nil else { exit(5) }
            for path in ["/etc/passwd", "\(base)/root/none", "\(base)/root", "relative"] {
                guard (try? files.open(path)) == nil else { exit(6) }
            }
            exit(0)
        }
        for name in ["root/old", "root/new"] { unlink(directory.file(name)) }
    }

    @Test("a broker that runs in several threads is not confined, and says so")
    func singleThread() {
        #expect {
            _ = try FileConfinement.enter(FilePolicy(roots: [], home: nil)) { _ in }
        } throws: {
            if case SandboxError.notSingleThreaded = $0 { true } else { false }
        }
    }
}
