internal import IPC

/// SIGHUP: the daemon takes the new config as a whole, or keeps the old one.
extension Daemon {
    func take(_ step: ConfigReload.Step?) {
        do {
            switch step {
            case .none: break
            case .check(let worker):
                watch(worker.pidfd.rawValue, Source.check.token())
                // The audit log is rotated now, without waiting for that check.
                audit.rotate(config.auditLog)
            case .adopt(let new): try adopt(new)
            case .refuse(let error): throw error
            }
        } catch {
            reload.log(error)
            // The file may have been rotated although the config is wrong.
            audit.rotate(config.auditLog)
        }
    }

    func adopt(_ new: Config) throws(StartError) {
        let sealed = try WorkerPolicies(new.policy)
        try audit.open(new.auditLog)
        Startup.warn(new)
        if !socket.isAt(new.mcpSocket) {
            Log.write(
                .warning, "mcp_socket has changed; the daemon must be restarted for that",
                ["socket": .text(socket.path), "config": .text(new.mcpSocket)])
        }
        config = new
        policies = sealed
        // Before the workers: what they ask for by the new policy is judged by it.
        gates.configure(new.policy, sealed: policies.serving, self)
        forwards.configure(new.policy)
        let filePolicy = new.filePolicy(
            at: configPath, socket: socket.path, auditLog: audit.realPath, environment: environment, programs: programs)
        files.configure(filePolicy, now: now(), self)
        table.waitMilliseconds = new.clientWaitSeconds * 1000
        for (id, entry) in table.entries where entry.isToServe { sendPolicy(to: id) }
        Log.write(.info, "config reloaded", new.facts(at: configPath))
    }
}
