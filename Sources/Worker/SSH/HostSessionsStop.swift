internal import IPC

extension HostSessions {
    /// Stops commands over a session of its own. If sshd has none free, this asks again for up to 8 s, because the commands that
    /// end meanwhile free one.
    /// - Returns: the answers for the commands that the host was asked about.
    func stopBatch(_ observers: [ObserverID]) async -> [ObserverID: StopAnswer] {
        let deadline = ContinuousClock.now + .seconds(8)
        while true {
            let left = deadline - ContinuousClock.now
            guard left > .zero else { return [:] }
            await budget.stopBegins()
            let answer = try? await run(.stop(observers), within: left)
            guard let answer else {
                await budget.stopEnded(tookSession: true)
                return [:]
            }
            let isRefused = answer.end == .notOpened(.byHost)
            await budget.stopEnded(tookSession: !isRefused)
            guard isRefused else { return StopAnswer.answers("\(answer.stdout)\n\(answer.stderr)") }
            await budget.wasRefused(nil)
            await Timer.pause(.milliseconds(100))
        }
    }
}
