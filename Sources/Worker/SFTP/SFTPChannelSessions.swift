internal import IPC
public import SSH
internal import Synchronization

/// Opens the connection over the sessions of a host.
extension SFTPChannel {
    /// A connection over `sessions`: what the host's config names, else the SFTP subsystem or, if there is none, a shell. It is
    /// closed if it is idle when a session is wanted.
    ///
    /// - Parameters:
    ///   - deadline: how long the host may move nothing, see `ProgressDeadline`, and how long opening may take in all.
    ///   - idle: how long the connection stays open without a call.
    public convenience init(
        sessions: HostSessions, deadline: Duration = ProgressDeadline.patience, idle: Duration = .seconds(60)
    ) {
        let ways = sessions.fileTransport.map { [$0] } ?? [.sftp, .shell]
        let channel = Mutex(WeakChannel())
        @Sendable func open(
            _ peer: HostSessions.Peer, besideOwn: Bool = false,
            _ receive: @escaping @Sendable (ArraySlice<UInt8>) -> Void,
            _ ended: @escaping @Sendable (SessionEnd) -> Void
        ) async throws(SFTPError) -> SSHChannel {
            await sessions.onShortage {
                let channel = channel.withLock { $0.channel }
                channel?.closeIfIdle()
                return channel != nil
            }
            do throws(ExecFailure) {
                return try await sessions.open(
                    peer, besideOwn: besideOwn, within: deadline * 0.9, receive: receive, ended: ended)
            } catch {
                switch error {
                case .noSession(let shortage): throw .noSession(shortage)
                case .cancelled: throw .noSession(nil)
                case .spawn(let detail): throw .spawn(detail: detail)
                case .masterDown(let why): throw .masterDown(why)
                case .otherUser(let identity): throw .otherUser(identity)
                case .unanswered(let reach, _): throw .unanswered(reach, wasOpen: false)
                // Only commands fail in these ways.
                case .directory, .outside, .tooLong, .notStarted, .notBegun, .lost, .notAllowed, .notOpened:
                    throw .notOpened(detail: "")
                }
            }
        }
        let packets: Opener = { client async throws(SFTPError) in
            try await sessions.judgingUser { () async throws(SFTPError) in
                try await open(.files, { client.receive($0) }, { client.transportEnded($0) })
            }
        }
        let shell: Opener = { client async throws(SFTPError) in
            // The first session carries the requests, and later ones carry content beside it.
            let opened = Mutex(false)
            return try await sessions.judgingUser { () async throws(SFTPError) in
                try await ShellTransport.open(client) { session, receive, ended async throws(SFTPError) in
                    let besideOwn = opened.withLock { opened in
                        defer { opened = true }
                        return opened
                    }
                    return try await open(.shell(session), besideOwn: besideOwn, receive, ended)
                }
            }
        }
        self.init(
            deadline: deadline, idle: idle, openers: ways.map { ($0, $0 == .sftp ? packets : shell) },
            whenRefused: { await sessions.wasRefused() },
            whenEnded: {
                switch await sessions.masterState() {
                case .alive: nil
                case .down(let why): .masterDown(why)
                }
            },
            whenQuiet: { await sessions.responds() })
        channel.withLock { $0.channel = self }
    }
}

extension HostSessions {
    /// Opens a channel while the host is asked who is logged in there, and keeps it only where that is the user of the config. The
    /// question goes first, so that a host which takes one session alone has ended it soon.
    fileprivate func judgingUser<Channel: SFTPTransport>(
        _ open: () async throws(SFTPError) -> Channel
    ) async throws(SFTPError) -> Channel {
        let question = await askIdentity()
        let channel = try await open()
        if let identity = await question?.otherUser() {
            channel.close()
            throw .otherUser(identity)
        }
        return channel
    }
}

/// A reference that does not keep the channel alive.
private struct WeakChannel {
    weak var channel: SFTPChannel?
}
