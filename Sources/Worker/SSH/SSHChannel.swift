internal import IPC

/// A session that stays open with a subsystem at its other end, ssh(1) `-s`: bytes in, bytes out.
public final class SSHChannel: Sendable {
    private let child: Child

    fileprivate init(child: Child) {
        self.child = child
    }

    /// Queues bytes for the subsystem. The caller bounds what is under way.
    public func send(_ bytes: [UInt8]) { child.write(bytes) }

    /// Ends the session; `ended` is called as for every end.
    public func close() { child.abandon() }
}

extension HostSessions {
    /// Opens a session with a subsystem and keeps its place in the budget until it ends. Waits for that place at most
    /// `limit`.
    ///
    /// `receive` gets what the subsystem sends and `ended` the reason of the end, once, both on the reactor's thread.
    /// That the subsystem does not exist shows as an early end.
    public func openSubsystem(
        _ name: String, within limit: Duration = .seconds(30), receive: @escaping @Sendable (ArraySlice<UInt8>) -> Void,
        ended: @escaping @Sendable (String) -> Void
    ) async throws(ExecFailure) -> SSHChannel {
        do throws(SessionBudget.NoPlace) {
            try await budget.acquire(within: limit)
        } catch {
            throw error == .timedOut ? .noSession : .cancelled(.confirmed)
        }
        let said = StreamBox(OutputWindow(limit: 4096))
        do throws(IPCError) {
            let child = try Child.start(
                path: sshPath, arguments: SSHInvocation.subsystem(host, name: name),
                environment: SSHInvocation.environment, stdout: receive,
                stderr: { chunk in said.with { $0.append(chunk) } },
                ended: { end in
                    Task { await self.budget.release() }
                    let text = said.value.output().text.split(whereSeparator: \.isNewline).joined(separator: "; ")
                    ended(text.isEmpty ? "\(end)" : text)
                })
            return SSHChannel(child: child)
        } catch {
            await budget.release()
            throw .spawn(detail: "\(sshPath): \(error)")
        }
    }

    /// Calls `function` whenever a call has to wait for a session: an idle channel is closed then.
    public func onShortage(_ function: @escaping @Sendable () -> Void) async { await budget.onShortage(function) }
}
