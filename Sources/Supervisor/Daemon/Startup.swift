internal import CLinux
internal import Glibc
internal import IPC

/// Finds the programs of the daemon, and checks a config on this machine before the daemon listens.
enum Startup {
    /// The path of this program.
    static var ownProgram: String? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        return count > 0 && count < buffer.count ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }

    /// The paths where another program of the daemon can be: beside this program, or in the libexec directory of the same prefix.
    /// No setting names other paths.
    private static func places(of program: String) throws(StartError) -> [String] {
        guard let own = ownProgram else { throw StartError(sentence: "cannot find this program's own file") }
        let directory = own[..<(own.lastIndex(of: "/") ?? own.startIndex)]
        return ["\(directory)/\(program)", "\(directory)/../libexec/claude-ssh-daemon/\(program)"]
    }

    /// The worker's program, without which nothing is served.
    static func workerProgram() throws(StartError) -> String { try needed("claude-ssh-worker") }

    /// The gate's program, without which nothing is served.
    static func gateProgram() throws(StartError) -> String { try needed("claude-ssh-gate") }

    private static func needed(_ program: String) throws(StartError) -> String {
        let places = try places(of: program)
        if let found = places.first(where: { access($0, X_OK) == 0 }) { return found }
        if let found = places.first(where: { access($0, F_OK) == 0 }) {
            var status = stat()
            let isProgram = stat(found, &status) == 0 && status.st_mode & 0o111 != 0
            throw StartError(
                sentence: "\(found) cannot be executed by this user"
                    + (isProgram
                        ? ": its mode closes it, or it lies on a file system that is mounted noexec; run: findmnt -T "
                        : "; run: chmod a+rx ") + ShellWord.quoted(found))
        }
        throw StartError(
            sentence:
                "\(program) is missing; it belongs at \(places.joined(separator: " or ")): install claude-ssh-daemon again "
                + "(make install), all its programs of one build")
    }

    /// Where a program of the daemon is, or belongs.
    static func shown(_ program: String) -> String {
        let places = (try? places(of: program)) ?? []
        return places.first { access($0, F_OK) == 0 } ?? places.first ?? program
    }

    /// The paths where the file broker's program can be. It is looked for when a transfer needs it.
    static func fileBrokerPlaces() throws(StartError) -> [String] { try places(of: "claude-ssh-files") }

    /// The warning if transfers are on and their program is missing; nil if all is well.
    static func fileBrokerProblem(_ config: Config) -> String? {
        guard config.policy.hosts.contains(where: \.capabilities.fileWrite), let places = try? fileBrokerPlaces(),
            !places.contains(where: { access($0, X_OK) == 0 })
        else { return nil }
        let mend = ProgramMend.of(.missing, program: places.joined(separator: " or "), said: "file broker said")
        return "transfers do not work: \(ProgramFailure.missing.clause(.fileBroker)); \(mend)"
    }

    /// Throws if `problems` finds any.
    /// - Parameter isServing: whether this is a reload. It compares the sockets of hosts only as texts, because the file system of
    ///   one may not answer, and no client would be served meanwhile. A call that uses a wrong socket is told so.
    static func check(_ config: Config, isServing: Bool = false) throws(StartError) {
        let problems = problems(config, isServing: isServing)
        guard problems.isEmpty else { throw StartError(sentence: problems.joined(separator: "; ")) }
    }

    /// The problems of this machine with a config: a kernel that cannot confine workers, an `ssh` that cannot be started, no place
    /// for the audit log, a wrong file at a socket's path.
    static func problems(_ config: Config, isServing: Bool = false) -> [String] {
        var problems = kernelProblems(config)
        if isServing {
            problems += config.policy.hosts.filter { $0.master.socket == config.mcpSocket }.map {
                ownSocket($0, config)
            }
        } else {
            problems += config.policy.hosts.compactMap { socketProblem($0, config) }
            problems += config.policy.hosts.compactMap { ownSocketProblem($0, config) }
        }
        return problems + [auditProblem(config)].compactMap { $0 }
    }

    /// What this machine lacks that workers are to be confined with, and what is wrong with the `ssh` that they are to execute.
    static func kernelProblems(_ config: Config) -> [String] {
        var problems: [String] = []
        if csd_landlock_abi() <= 0 && config.policy.requireLandlock {
            problems.append(
                "sandbox.require_landlock: this kernel has no Landlock (Linux 5.13 or newer, with landlock among its security "
                    + "modules), so the workers cannot be confined; to serve without it, set "
                    + "\"sandbox\": {\"require_landlock\": false}")
        }
        let missing = csd_seccomp_missing()
        if missing != 0 {
            problems.append(
                "no filter of system calls can be installed here (seccomp: \(String(cString: strerror(missing)))), so the workers "
                    + "cannot be confined: what this daemon runs in, a container for one, must allow seccomp(2)")
        }
        let ssh = config.policy.sshPath
        if config.policy.transport == .ssh, let problem = SSHProgram.problem(of: ssh) {
            problems.append("ssh_path: \(ssh) \(problem.clause)")
        }
        return problems
    }

    /// Why the audit log cannot be opened; nil if there is none, or nothing stands in its way.
    static func auditProblem(_ config: Config) -> String? {
        guard let log = config.auditLog else { return nil }
        do throws(StartError) {
            try AuditLog.judge(log)
            return nil
        } catch {
            return error.sentence
        }
    }

    /// The problem if a file at the path of a host's socket is no socket. While the ControlMaster is down, nothing need be there.
    static func socketProblem(_ host: PolicySnapshot.Host, _ config: Config) -> String? {
        var status = stat()
        guard stat(host.master.socket, &status) == 0, status.st_mode & S_IFMT != S_IFSOCK else { return nil }
        return "\(config.key("socket", of: host)): \(host.master.socket) exists and is not a socket; "
            + "name the path of its ControlMaster's socket"
    }

    /// The problem if the socket of a host is the daemon's own MCP socket, in any spelling: the daemon would talk to itself.
    static func ownSocketProblem(_ host: PolicySnapshot.Host, _ config: Config) -> String? {
        let socket = host.master.socket
        let own = config.mcpSocket
        guard RealPath.ofSocket(socket) == RealPath.ofSocket(own) || areSameFile(socket, own) else { return nil }
        return ownSocket(host, config)
    }

    private static func ownSocket(_ host: PolicySnapshot.Host, _ config: Config) -> String {
        "\(config.key("socket", of: host)): \(host.master.socket) is mcp_socket, where this daemon listens itself; "
            + "name the path of its ControlMaster's socket"
    }

    private static func areSameFile(_ first: String, _ second: String) -> Bool {
        var (one, other) = (stat(), stat())
        return stat(first, &one) == 0 && stat(second, &other) == 0 && one.st_dev == other.st_dev
            && one.st_ino == other.st_ino
    }

    /// The warning where what is logged leaves out the calls, and nothing else has them; nil where all is well.
    static func callsProblem(_ config: Config, _ style: LogStyle = Log.style) -> String? {
        guard config.auditLog == nil, !style.shows(.info) else { return nil }
        return
            "calls are written down nowhere: audit_log is not set, and --log-level \(style.level.name) leaves them out of the log"
    }

    /// Logs what an administrator should know about a config that is in force.
    static func warn(_ config: Config) {
        for warning in config.warnings { Log.write(.warning, "config", ["warning": .text(warning)]) }
        if let problem = callsProblem(config) { Log.write(.warning, "config", ["warning": .text(problem)]) }
        if let notice = config.localFilesNotice() {
            Log.write(config.localRoots == nil ? .warning : .info, "local files", ["open": .text(notice)])
        }
        if let problem = fileBrokerProblem(config) { Log.write(.warning, "local files", ["error": .text(problem)]) }
        if !config.policy.requireLandlock {
            let state =
                csd_landlock_abi() > 0
                ? "this kernel has it, so it is used" : "this kernel has none: workers are confined by seccomp only"
            Log.write(.warning, "sandbox.require_landlock is false", ["landlock": .text(state)])
        }
    }
}
