internal import CLinux
internal import Glibc
internal import IPC

/// What lies at the sockets of hosts, and who else can put something there. Whether a ControlMaster listens is asked by `GateTrial`.
enum HostSocketCheck {
    /// - Parameter directory: that of the sockets of these hosts.
    static func lines(of hosts: [PolicySnapshot.Host], in directory: String, _ config: Config) -> [String] {
        let problems = hosts.flatMap { host in
            [Startup.socketProblem(host, config), Startup.ownSocketProblem(host, config)].compactMap { $0 }
        }
        var lines = problems.map { ConfigCheck.line(.error, $0) }
        if let problem = problem(of: directory) {
            lines += hosts.map { ConfigCheck.line(.warning, config.key("socket", of: $0), problem) }
        }
        return lines
    }

    private static func problem(of directory: String) -> String? {
        var status = stat()
        // A directory that is missing is told with its ControlMaster.
        guard stat(directory, &status) == 0 else { return nil }
        let own = "Keep it in a directory of your own, as $XDG_RUNTIME_DIR or ~/.ssh"
        guard status.st_uid == geteuid() || status.st_uid == 0 else {
            return
                "\(directory) belongs to uid \(status.st_uid), who can put another socket in the place of this one. \(own)"
        }
        guard status.st_mode & 0o022 != 0 else { return nil }
        guard status.st_mode & S_ISVTX == 0 else {
            return
                "everybody can make files in \(directory): while this ControlMaster is down, another user can take its path, "
                + "and keep you from it. \(own)"
        }
        return "others can write to \(directory), and put another socket in the place of this one. \(own), or run: "
            + "chmod go-w \(ShellWord.quoted(directory))"
    }
}
