internal import IPC

extension HostSessions {
    /// What became of one session of a probe.
    private enum Trial {
        /// The host opened it.
        case taken
        /// The host refused it.
        case refused
        /// The master cannot be reached, or no session can be had.
        case failed
    }

    private static func trial(_ end: SessionEnd.How) -> Trial {
        switch end {
        case .notOpened(.byHost): .refused
        case .notOpened: .failed
        case .exited, .ended: .taken
        }
    }

    /// Opens `count` sessions at once, and closes them when the fate of each is known.
    /// - Returns: how many of them the host took; nil if it could not be asked.
    func probe(_ count: Int) async -> Int? {
        let events = AsyncStream.makeStream(of: (index: Int, trial: Trial, ended: Bool).self)
        let nonce = Nonce.make(marked: gate.mark)
        var opened: [GateSession] = []
        for index in 0..<count {
            let out = StreamBox(OutputWindow(limit: 4096))
            do throws(IPCError) {
                opened.append(
                    try GateSession.open(
                        .errand(host: host.name, .probe(nonce: nonce)), by: gate, pulse: master.pulse,
                        stdout: { chunk in
                            out.with { $0.append(chunk) }
                            if out.value.output().text.contains(nonce) {
                                events.continuation.yield((index, .taken, false))
                            }
                        },
                        stderr: { _ in }, opened: {},
                        ended: { events.continuation.yield((index, Self.trial($0), true)) }))
            } catch {
                events.continuation.yield((index, .failed, true))
            }
        }
        let timer = Timer(SessionBudget.silence) { events.continuation.finish() }
        defer { timer.cancel() }
        var trials: [Int: Trial] = [:]
        var ended: Set<Int> = []
        for await event in events.stream {
            if trials[event.index] == nil { trials[event.index] = event.trial }
            if event.ended { ended.insert(event.index) }
            // The sessions must be free again before anybody else opens one.
            if trials.count == count { for session in opened { session.finishInput() } }
            if ended.count == count { break }
        }
        for session in opened { session.abandon() }
        // A login shell that hangs in a start-up file keeps a process with this line.
        if ended.count < opened.count { master.startup.left(nonce) }
        guard !trials.values.contains(.failed) else { return nil }
        return count - trials.values.count { $0 == .refused }
    }
}
