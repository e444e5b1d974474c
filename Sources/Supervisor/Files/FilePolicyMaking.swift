internal import IPC

extension Config {
    /// The policy for file brokers. It has paths as they are written, because this process does not look at files.
    /// - Parameters:
    ///   - configPath: the path of this config.
    ///   - socket: the MCP socket that is served. The config may have another one by now.
    ///   - auditLog: the audit log that is written to, without symlinks.
    ///   - programs: the programs of the daemon.
    func filePolicy(
        at configPath: String, socket: String, auditLog: String?, environment: [String: String], programs: [String]
    ) -> FilePolicy {
        let expansion = PathExpansion(environment: environment)
        let state = ForwardStateFile(socket: socket, runtimeDirectory: expansion.runtimeDirectory).path
        var own = [auditLog, self.auditLog].compactMap { $0 }
            .map { FilePolicy.Own($0, "the daemon's audit log (audit_log)", beside: .any) }
        own += [
            FilePolicy.Own(configPath, "the daemon's config"), FilePolicy.Own(state, "the daemon's list of forwards"),
            FilePolicy.Own(policy.sshPath, "the program ssh (ssh_path)"),
        ]
        own += programs.map { FilePolicy.Own($0, "a program of the daemon") }
        own += [socket, mcpSocket].map { FilePolicy.Own($0, "the daemon's socket", isSocket: true) }
        own += policy.hosts.map {
            FilePolicy.Own($0.master.socket, "the ControlMaster socket of host \"\($0.name)\"", isSocket: true)
        }
        return FilePolicy(
            roots: localRoots, home: expansion.home,
            environment: environment.filter { FilePolicy.variables.contains($0.key) }, own: own,
            allowOverwrite: allowOverwrite, requireLandlock: policy.requireLandlock)
    }
}
