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
        guard let found = places.first(where: { access($0, X_OK) == 0 }) else {
            throw StartError(sentence: "\(program) is missing; it belongs at \(places.joined(separator: " or "))")
        }
        return found
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
        var problems: [String] = []
        if csd_landlock_abi() <= 0 && config.policy.requireLandlock {
            problems.append(
                "this kernel has no Landlock (Linux 5.13 or newer, with landlock among its security modules), "
                    + "so the workers cannot be confined; to serve without it, set \"sandbox\": {\"require_landlock\": false}"
            )
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
        let hosts = config.policy.hosts
        if isServing {
            problems += hosts.filter { $0.master.socket == config.mcpSocket }.map(ownSocket)
        } else {
            problems += hosts.compactMap(socketProblem)
            problems += hosts.compactMap { ownSocketProblem($0, mcpSocket: config.mcpSocket) }
        }
        if let log = config.auditLog {
            do throws(StartError) {
                try AuditLog.judge(log)
            } catch {
                problems.append(error.sentence)
            }
        }
        return problems
    }

    /// The problem if a file at the path of a host's socket is no socket. While the ControlMaster is down, nothing need be there.
    private static func socketProblem(_ host: PolicySnapshot.Host) -> String? {
        var status = stat()
        guard stat(host.master.socket, &status) == 0, status.st_mode & S_IFMT != S_IFSOCK else { return nil }
        return "the socket of host \"\(host.name)\": \(host.master.socket) exists and is not a socket; "
            + "name the path of its ControlMaster's socket"
    }

    /// The problem if the socket of a host is the daemon's own MCP socket, in any spelling: the daemon would talk to itself.
    private static func ownSocketProblem(_ host: PolicySnapshot.Host, mcpSocket: String) -> String? {
        let socket = host.master.socket
        guard RealPath.ofSocket(socket) == RealPath.ofSocket(mcpSocket) || areSameFile(socket, mcpSocket) else {
            return nil
        }
        return ownSocket(host)
    }

    private static func ownSocket(_ host: PolicySnapshot.Host) -> String {
        "the socket of host \"\(host.name)\": \(host.master.socket) is mcp_socket, where this daemon listens itself; "
            + "name the path of its ControlMaster's socket"
    }

    private static func areSameFile(_ first: String, _ second: String) -> Bool {
        var (one, other) = (stat(), stat())
        return stat(first, &one) == 0 && stat(second, &other) == 0 && one.st_dev == other.st_dev
            && one.st_ino == other.st_ino
    }

    /// Logs what an administrator should know about a config that is in force.
    static func warn(_ config: Config) {
        for warning in config.warnings { Log.write(.warning, "config", ["warning": .text(warning)]) }
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
