internal import IPC

extension HostSessions {
    /// How long the login shell may take to start a command, whatever the command's own time limit is.
    static let beginning = Duration.seconds(20)

    /// Throws if the login shell did not start a command a short while ago. It is then tried once beside the call, so that the
    /// next call succeeds if the host was mended.
    func failWhereStartupHangs() throws(ExecFailure) {
        guard let failure = master.startup.failure else { return }
        if master.startup.beginTrial() { Task { await tryStartup() } }
        throw failure.told
    }

    private func tryStartup() async {
        let nonce = Nonce.make(marked: gate.mark)
        let answer = try? await run(.trial(nonce: nonce), within: Self.beginning)
        if answer?.stdout.contains(nonce) == true { startupWorks() }
        if answer?.isLate == true { await leave(nonce) }
        master.startup.endTrial(hung: answer?.isLate == true)
    }

    /// Takes notice that a line with this nonce was given up. Its process may hang on the host, which cannot be asked about it
    /// while every login shell hangs.
    func leave(_ nonce: String) async {
        master.startup.left(nonce)
        await budget.leftRunning(until: nil)
    }

    /// Tells the gate whether lines to this host may use `export`, where it does not know.
    func takeNotice(exports: Bool) {
        let isNews = self.exports.with { told in
            defer { told = exports }
            return told != exports
        }
        guard isNews else { return }
        gate.takeNotice(of: host.name, exports: exports)
    }

    /// Takes notice that a command has started, so that the host can be asked to end what hung there before.
    func startupWorks() {
        let nonces = master.startup.works()
        guard !nonces.isEmpty else { return }
        Task {
            await budget.stopBegins()
            let answer = try? await run(.sweep(nonces: nonces), within: .seconds(10))
            await budget.stopEnded(tookSession: true)
            if answer?.end == .exited(0) { await budget.nothingLeft() }
        }
    }
}
