internal import IPC

extension HostSessions {
    /// Stops commands over a session of its own. Where sshd has none free, commands that end, or that are being stopped,
    /// free one: so it is asked again for a while.
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
