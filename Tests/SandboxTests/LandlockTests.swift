import CLinux
import CProbes
import Glibc
import Testing

@testable import Sandbox

@Suite struct LandlockTests {
    static func restrict() {
        do throws(SandboxError) {
            try Limits.worker.apply()
            guard try Landlock.restrict(sshPath: "/usr/bin/ssh", required: true) > 0 else { exit(98) }
        } catch {
            exit(99)
        }
    }

    static func refused(_ path: String, _ flags: Int32) -> Bool {
        let descriptor = open(path, flags, 0o600)
        return descriptor == -1 && errno == EACCES
    }

    /// Starts a program and returns its exit status, 127 where it cannot be executed.
    static func run(_ program: String, _ given: String...) -> Int32 {
        var pid: pid_t = 0
        let arguments: [UnsafeMutablePointer<CChar>?] = [strdup(program)] + given.map { strdup($0) } + [nil]
        guard posix_spawn(&pid, program, nil, nil, arguments, [nil]) == 0 else { return 127 }
        var status: Int32 = 0
        guard waitpid(pid, &status, 0) == pid else { return 126 }
        return status >> 8
    }

    @Test("only ssh and its loader can be executed")
    func execute() async {
        await #expect(processExitsWith: .success) {
            LandlockTests.restrict()
            for program in ["/bin/sh", "/usr/bin/env", "/usr/bin/ssh-add", "/usr/bin/ssh-keygen", "/bin/cat"] {
                guard LandlockTests.run(program, "-V") == 127 else { exit(1) }
            }
            guard LandlockTests.run("/usr/bin/ssh", "-V") == 0 else { exit(2) }
            exit(0)
        }
    }

    @Test("no secret can be read, and no directory listed")
    func read() async throws {
        let home = try #require(getpwuid(getuid())).pointee.pw_dir
        let directory = String(cString: try #require(home))
        await #expect(processExitsWith: .success) { [directory = directory as String] in
            LandlockTests.restrict()
            let paths = [
                "\(directory)/.ssh", directory, "/etc", "/", "/tmp", "/proc", "/proc/self/environ",
                "/proc/1/cmdline", "/proc/self/mem", "/sys", "/dev/tty", "/usr/lib", "/var/log", "/run",
            ]
            for (index, path) in paths.enumerated() {
                // What does not exist at all cannot be read either.
                let descriptor = open(path, O_RDONLY)
                guard descriptor == -1, errno == EACCES || errno == ENOENT else { exit(Int32(10 + index)) }
            }
            guard LandlockTests.refused("/etc/shadow", O_RDONLY) else { exit(2) }
            guard open("/etc/passwd", O_RDONLY) >= 0 else { exit(3) }
            // Root's worker reads single files of /etc only.
            guard geteuid() != 0 || LandlockTests.refused("/etc/group", O_RDONLY) else { exit(4) }
            exit(0)
        }
    }

    @Test("nothing can be written but /dev/null")
    func write() async {
        await #expect(processExitsWith: .success) {
            LandlockTests.restrict()
            guard LandlockTests.refused("/tmp/claude-ssh-worker.test", O_WRONLY | O_CREAT) else { exit(1) }
            guard LandlockTests.refused("/etc/passwd", O_WRONLY) else { exit(2) }
            guard LandlockTests.refused("/etc/passwd", O_RDWR) else { exit(3) }
            guard mkdir("/tmp/claude-ssh-worker.dir", 0o700) == -1, errno == EACCES else { exit(4) }
            guard symlink("/etc/passwd", "/tmp/claude-ssh-worker.link") == -1, errno == EACCES else { exit(5) }
            guard open("/dev/null", O_RDWR) >= 0 else { exit(6) }
            exit(0)
        }
    }

    @Test("no TCP port can be reached or taken")
    func network() async {
        guard csd_landlock_abi() >= 4 else { return }
        await #expect(processExitsWith: .success) {
            LandlockTests.restrict()
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = UInt16(22).bigEndian
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            let connected = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(
                        socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0), $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            guard connected == -1, errno == EACCES else { exit(1) }
            exit(0)
        }
    }

    @Test("processes and abstract sockets outside are out of reach")
    func scope() async {
        guard csd_landlock_abi() >= 6 else { return }
        await #expect(processExitsWith: .success) {
            LandlockTests.restrict()
            guard kill(getppid(), 0) == -1, errno == EPERM else { exit(1) }
            exit(0)
        }
    }

    @Test("the confinement needs a single thread, and says so")
    func singleThread() async {
        // This test process has several.
        #expect { try Confinement.enter(requireLandlock: true) } throws: {
            if case SandboxError.notSingleThreaded = $0 { true } else { false }
        }
    }

    @Test("an ssh_path that is no program is refused")
    func notAProgram() {
        #expect { try ELFInterpreter.path(of: "/etc/passwd") } throws: {
            if case SandboxError.notAProgram = $0 { true } else { false }
        }
        #expect { try ELFInterpreter.path(of: "/etc/passwd/none") } throws: {
            if case SandboxError.failed = $0 { true } else { false }
        }
    }

    @Test("the loader of ssh is found")
    func loader() throws {
        let path = try #require(try ELFInterpreter.path(of: "/usr/bin/ssh"))
        #expect(access(path, X_OK) == 0)
    }
}

@Suite struct LimitsTests {
    @Test("no core file, bounded memory and descriptors, not dumpable, no new privileges")
    func limits() async {
        await #expect(processExitsWith: .success) {
            do throws(SandboxError) { try Limits.worker.apply() } catch { exit(99) }
            func limit(_ resource: __rlimit_resource) -> rlimit {
                var limit = rlimit()
                getrlimit(__rlimit_resource_t(resource.rawValue), &limit)
                return limit
            }
            guard limit(RLIMIT_CORE).rlim_max == 0 else { exit(1) }
            guard limit(RLIMIT_DATA).rlim_max <= Limits.worker.data else { exit(2) }
            guard limit(RLIMIT_NOFILE).rlim_max <= Limits.worker.openFiles else { exit(3) }
            guard limit(RLIMIT_AS).rlim_max <= Limits.worker.addressSpace else { exit(6) }
            // The tasks of the machine come and go meanwhile, but not so many.
            let tasks = limit(__RLIMIT_NPROC)
            guard let all = LimitsTests.tasksOfTheMachine(), tasks.rlim_cur == tasks.rlim_max,
                tasks.rlim_max <= all + (Limits.worker.addedTasks ?? 0) + 2048
            else { exit(7) }
            // 3 GiB that are written and then made read-only, 256 MiB at a time: the kernel stops before.
            var mapped = 0
            while mapped < 24 {
                guard let part = mmap(nil, 256 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                    part != MAP_FAILED, mprotect(part, 256 << 20, PROT_READ) == 0
                else { break }
                mapped += 1
            }
            guard mapped < 16 else { exit(8) }
            // PR_GET_DUMPABLE, PR_GET_NO_NEW_PRIVS.
            let prctl = probe_number("prctl")
            guard probe_syscall(prctl, 3, 0, 0, 0, 0, 0) == 0 else { exit(4) }
            guard probe_syscall(prctl, 39, 0, 0, 0, 0, 0) == 1 else { exit(5) }
            exit(0)
        }
    }

    /// The number behind the slash of /proc/loadavg, proc(5).
    static func tasksOfTheMachine() -> UInt? {
        guard let file = fopen("/proc/loadavg", "r") else { return nil }
        defer { fclose(file) }
        var line = [UInt8](repeating: 0, count: 128)
        let count = fread(&line, 1, line.count, file)
        return String(decoding: line[..<count], as: UTF8.self).split(separator: "/").last?.split(separator: " ").first
            .flatMap { UInt($0) }
    }
}
