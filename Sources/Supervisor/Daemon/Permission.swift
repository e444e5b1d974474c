internal import IPC

/// Decides which messages a worker may send in which phase. This page is the whole table. A worker that sends another message is
/// killed. `PatternCheck` alone takes messages of a worker elsewhere; that worker has no client and no entry in the table.
enum Permission: Equatable {
    /// The message is acted on.
    case granted
    /// The worker sent it before it noticed that its client had gone, or has the place. It is not acted on.
    case tooLate
    /// The worker is killed.
    case outOfTurn

    static func of(_ message: ToSupervisor, from entry: ConnectionTable.Entry) -> Permission {
        switch entry.phase {
        // There is no worker yet.
        case .silent, .waiting, .toRefuse: .outOfTurn

        case .starting(.serve), .starting(.refuse), .departing:
            switch message {
            case .life(.ready): .granted
            case .life(.clientUnheard), .life(.clientSpeaks), .life(.clientNamed), .life(.callWaited),
                .life(.clientGone), .life(.clientDropped), .files, .audit, .forwards, .patterns:
                .outOfTurn
            }

        // Such a worker has no entry in the table.
        case .starting(.check): .outOfTurn

        // The worker has its client's first bytes, and nothing else yet.
        case .listening:
            switch message {
            case .life(.clientUnheard), .life(.clientSpeaks), .life(.clientGone), .life(.clientDropped): .granted
            case .life(.ready), .life(.clientNamed), .life(.callWaited), .files, .audit, .forwards, .patterns:
                .outOfTurn
            }

        // The client has the place, and the worker has a gate or gets one.
        case .serving:
            switch message {
            case .life(.clientGone), .life(.clientDropped), .files, .audit, .forwards: .granted
            case .life(.clientNamed): entry.name == nil ? .granted : .outOfTurn
            // The place came while the call was being refused.
            case .life(.callWaited): .tooLate
            case .life(.ready), .life(.clientUnheard), .life(.clientSpeaks), .patterns: .outOfTurn
            }

        // The client is not in line until it sends a request.
        case .unheard:
            switch message {
            case .life(.clientSpeaks), .life(.clientGone), .life(.clientDropped): .granted
            case .life(.ready), .life(.clientUnheard), .life(.clientNamed), .life(.callWaited), .files, .audit,
                .forwards, .patterns:
                .outOfTurn
            }

        // The client is in line for the place. The worker has no gate, and gets nothing that needs the place.
        case .waitingReady:
            switch message {
            case .life(.clientGone), .life(.clientDropped), .life(.callWaited): .granted
            case .life(.clientNamed): entry.name == nil ? .granted : .outOfTurn
            case .life(.ready), .life(.clientUnheard), .life(.clientSpeaks), .files, .audit, .forwards, .patterns:
                .outOfTurn
            }

        // The client never had the place, so nothing of it is under way.
        case .leaving:
            switch message {
            case .life(.clientUnheard), .life(.clientSpeaks), .life(.clientGone), .life(.clientDropped):
                entry.mayStillSayGone ? .granted : .outOfTurn
            case .life(.clientNamed): entry.name == nil ? .granted : .outOfTurn
            case .life(.callWaited): .tooLate
            case .life(.ready), .files, .audit, .forwards, .patterns: .outOfTurn
            }

        // The worker answers its client's first request.
        case .refusing:
            switch message {
            case .life(.clientUnheard): entry.mayBeUnheard ? .granted : .outOfTurn
            case .life(.ready), .life(.clientSpeaks), .life(.clientNamed), .life(.callWaited), .life(.clientGone),
                .life(.clientDropped), .files, .audit, .forwards, .patterns:
                .outOfTurn
            }

        // The client has gone, and the worker may be in the middle of a call. `mayStillSayGone` is true if the supervisor saw the
        // client go before the worker reported it.
        case .releasing:
            switch message {
            case .life(.clientUnheard), .life(.clientSpeaks), .life(.clientGone), .life(.clientDropped):
                entry.mayStillSayGone ? .granted : .outOfTurn
            case .life(.clientNamed): entry.name == nil ? .granted : .outOfTurn
            case .life(.callWaited): .tooLate
            case .files(.abandon), .audit, .forwards: .granted
            case .files(.open), .files(.create), .files(.commit): .tooLate
            case .life(.ready), .patterns: .outOfTurn
            }
        }
    }
}
