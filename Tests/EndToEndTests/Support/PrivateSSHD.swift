import CLinux
import Foundation
import Glibc
import Testing
import TestSupport

/// A real sshd, or dropbear in its place, on loopback with keys and configuration of its own; nothing of the user's is read or changed.
final class PrivateSSHD: Sendable {
    enum Program: Sendable {
        case openSSH
        /// Only as root: dropbear takes its authorized keys from the home of the login alone. It heeds no option but the
        /// login shell and purpose; the purpose must be one with a home of its own.
        case dropbear
    }

    struct Options: Sendable {
        var program = Program.openSSH
        /// Sessions a connection may have open (sshd_config(5) MaxSessions).
        var maxSessions = 10
        var sftpSubsystem = true
        var allowTCPForwarding = true
        /// Only heeded as root; an ordinary user logs in with the shell they have.
        var loginShell = "/bin/bash"
        /// Which of the accounts with this shell: tests that put files into a home have one of their own. Only as root.
        var purpose = "login"
        /// Port 22 of an address in 127/8, where `ssh host` without a port goes (root only).
        var usesStandardPort = false
        /// Further lines of sshd_config.
        var extraConfig: [String] = []
    }

    let address: String
    let port: Int
    let loginUser: Account
    /// The private key that logs in: mode 0600, owned by the user of this process.
    let clientKey: String
    let knownHosts: String
    let logFile: String
    /// `NAME=value` in the environment of everything that logins start.
    let marker: String
    private let directory: TemporaryDirectory
    private let server: ChildProcess

    init(_ options: Options = Options()) throws {
        loginUser = try Account.forLogin(shell: options.loginShell, purpose: options.purpose)
        // sshd reads the authorized keys as the login user; the private keys in it are 0600.
        directory = try TemporaryDirectory(readableByAll: Account.canCreate)
        marker = "CSD_TEST_SSHD=\(directory.path)"
        clientKey = directory.file("client_key")
        knownHosts = directory.file("known_hosts")
        logFile = directory.file("sshd.log")
        if Account.canCreate { mkdir("/run/sshd", 0o755) }

        let keygen = try findProgram("ssh-keygen")
        for key in ["host_key", "client_key"] {
            try runSuccessfully(keygen, ["-q", "-t", "ed25519", "-N", "", "-C", "csd", "-f", directory.file(key)])
        }
        let publicKey = try Data(contentsOf: URL(filePath: directory.file("client_key.pub")))
        try directory.write("authorized_keys", publicKey, mode: 0o644)

        let started =
            switch options.program {
            case .openSSH: try PrivateSSHD.start(options, directory, marker: marker)
            case .dropbear: try PrivateSSHD.startDropbear(loginUser, directory, marker: marker)
            }
        (address, port, server) = (started.address, started.port, started.server)
        CrashCleanup.owe(.environment(marker))

        let hostKey = try String(contentsOfFile: directory.file("host_key.pub"), encoding: .utf8)
        let name = port == 22 ? address : "[\(address)]:\(port)"
        try directory.write("known_hosts", "\(name) \(hostKey)", mode: 0o644)
    }

    deinit { stop() }

    /// Ends the server, every connection to it, and all that logins have left running.
    func stop() {
        let listener = server.pid
        // Each connection is in a session of its own: the server's group does not hold it.
        if server.status == nil { try? killAll("connections of sshd") { $0.descendants(of: listener) } }
        server.stop()
        killRemoteProcesses()
        CrashCleanup.settle(.environment(marker))
        directory.remove()
    }

    /// Stops what serves the connections to it where it is, or lets it go on.
    func pause(_ paused: Bool) {
        for process in ProcessTable().descendants(of: server.pid) { kill(process.pid, paused ? SIGSTOP : SIGCONT) }
    }

    func logText() -> String { (try? String(contentsOfFile: logFile, encoding: .utf8)) ?? "" }

    /// What serves the connections to it: a process of each connection, and of each SFTP session.
    func serving() -> [ProcessEntry] { ProcessTable().descendants(of: server.pid) }

    /// TCP connections so far, refused logins included.
    func acceptedConnections() -> Int {
        // sshd ends its lines with CR LF, which Swift takes for one character.
        logText().split(whereSeparator: \.isNewline).count { $0.hasPrefix("Connection from ") }
    }

    /// What commands of logins run just now, daemonised ones too; a command that clears its environment is missed.
    func remoteProcesses() -> [ProcessEntry] {
        ProcessTable().processes(withEnvironment: marker)
    }

    /// The remote processes whose command line, arguments joined by spaces, contains `text`.
    func remoteProcesses(running text: String) -> [ProcessEntry] {
        remoteProcesses().filter { $0.arguments.joined(separator: " ").contains(text) }
    }

    /// Makes plain `ssh` of this throw-away account able to log in here: its default key and known_hosts.
    func installDefaultKey(for account: Account) throws {
        guard account.home.hasPrefix("/tmp/csd.") else {
            throw HarnessError("\(account.name) is no throw-away account")
        }
        let folder = "\(account.home)/.ssh"
        for (source, name) in [(clientKey, "id_ed25519"), (knownHosts, "known_hosts")] {
            try runSuccessfully(
                try findProgram("install"),
                ["-D", "-m", "600", "-o", account.name, "-g", "\(account.gid)", source, "\(folder)/\(name)"])
        }
        try runSuccessfully(try findProgram("chown"), ["\(account.uid):\(account.gid)", folder])
        chmod(folder, 0o700)
    }

    private func killRemoteProcesses() {
        try? killAll("processes of logins") { $0.processes(withEnvironment: marker) }
    }
}

extension PrivateSSHD {
    private typealias Started = (address: String, port: Int, server: ChildProcess)

    /// The port is free when chosen and may be taken when bound: then another is tried.
    private static func start(_ options: Options, _ directory: TemporaryDirectory, marker: String) throws -> Started {
        let sshd = try findProgram("sshd")
        for attempt in 1...20 {
            let address =
                options.usesStandardPort
                ? "127.\(Int.random(in: 1...254)).\(Int.random(in: 0...255)).\(attempt)" : "127.0.0.1"
            let port = options.usesStandardPort ? 22 : try freePort()
            let config = configuration(options, directory, marker: marker, address: address, port: port)
            let configFile = try directory.write("sshd_config", config, mode: 0o644)
            let logFile = try directory.write("sshd.log", "")
            let server = try ChildProcess(sshd, ["-D", "-f", configFile, "-E", logFile])
            var log = ""
            try waitUntil("sshd listening, or its end") {
                // Order matters: the log of a process seen dead is complete.
                let ended = server.status != nil
                log = (try? String(contentsOfFile: logFile, encoding: .utf8)) ?? ""
                return ended || log.contains("Server listening on \(address)")
            }
            if log.contains("Server listening on \(address)") { return (address, port, server) }
            guard log.contains("Address already in use") else { throw HarnessError("sshd did not start:\n\(log)") }
        }
        throw HarnessError("no free port for sshd")
    }

    /// The same with dropbear(8), which gives its own environment to what logins start.
    private static func startDropbear(
        _ account: Account, _ directory: TemporaryDirectory, marker: String
    ) throws -> Started {
        guard Account.canCreate else { throw HarnessError("dropbear needs a throw-away account") }
        let install = try findProgram("install")
        let owner = ["-o", account.name, "-g", "\(account.gid)"]
        try runSuccessfully(install, ["-d", "-m", "700"] + owner + ["\(account.home)/.ssh"])
        try runSuccessfully(
            install,
            ["-m", "600"] + owner + [directory.file("authorized_keys"), "\(account.home)/.ssh/authorized_keys"])
        let hostKey = directory.file("dropbear_key")
        try runSuccessfully(
            try findProgram("dropbearconvert"), ["openssh", "dropbear", directory.file("host_key"), hostKey])
        let dropbear = try findProgram("dropbear")
        var environment = ChildProcess.plainEnvironment
        let (name, value) = (marker.prefix { $0 != "=" }, marker.drop { $0 != "=" }.dropFirst())
        environment[String(name)] = String(value)
        for _ in 1...20 {
            let port = try freePort()
            let logFile = try directory.write("sshd.log", "")
            let server = try ChildProcess(
                dropbear,
                [
                    "-F", "-E", "-e", "-s", "-m", "-r", hostKey, "-p", "127.0.0.1:\(port)", "-P",
                    directory.file("dropbear.pid"),
                ],
                environment: environment, stderr: .file(logFile))
            var log = ""
            try waitUntil("dropbear listening, or its end") {
                let ended = server.status != nil
                log = (try? String(contentsOfFile: logFile, encoding: .utf8)) ?? ""
                return ended || log.contains("Not backgrounding")
            }
            if log.contains("Not backgrounding") { return ("127.0.0.1", port, server) }
            guard log.contains("Address already in use") else { throw HarnessError("dropbear did not start:\n\(log)") }
        }
        throw HarnessError("no free port for dropbear")
    }

    private static func configuration(
        _ options: Options, _ directory: TemporaryDirectory, marker: String, address: String, port: Int
    ) -> String {
        """
        ListenAddress \(address)
        Port \(port)
        HostKey \(directory.file("host_key"))
        AuthorizedKeysFile \(directory.file("authorized_keys"))
        PidFile none
        UsePAM no
        PasswordAuthentication no
        KbdInteractiveAuthentication no
        StrictModes no
        UseDNS no
        LogLevel VERBOSE
        MaxStartups 100:30:200
        MaxSessions \(options.maxSessions)
        AllowTcpForwarding \(options.allowTCPForwarding ? "yes" : "no")
        SetEnv \(marker)
        \(options.sftpSubsystem ? "Subsystem sftp internal-sftp" : "")
        \(options.extraConfig.joined(separator: "\n"))

        """
    }
}

/// A TCP port of 127.0.0.1 that was free a moment ago.
func freePort() throws -> Int {
    let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard fd >= 0 else { throw HarnessError("socket: \(errnoText())") }
    defer { close(fd) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let done = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(fd, $0, length) == 0 && getsockname(fd, $0, &length) == 0
        }
    }
    guard done else { throw HarnessError("bind: \(errnoText())") }
    return Int(UInt16(bigEndian: address.sin_port))
}
