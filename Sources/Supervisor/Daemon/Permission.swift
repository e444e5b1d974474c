internal import IPC

/// Who may say what in which state: this page is the whole of it. A worker that says anything else is killed. The one other
/// place where a worker is heard is `PatternCheck`, whose worker has neither a client nor an entry in the table.
enum Permission: Equatable {
    /// It is done.
    case granted
    /// It was sent before the worker saw its client go: it is answered so, and not done.
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
            case .life(.clientUnheard), .life(.clientSpeaks), .life(.clientGone), .life(.clientDropped), .files, .audit,
                .forwards, .patterns:
                .outOfTurn
            }

        // It has no entry in the table.
        case .starting(.check): .outOfTurn

        case .serving:
            switch message {
            case .life(.clientUnheard): entry.mayBeUnheard ? .granted : .outOfTurn
            case .life(.clientGone), .life(.clientDropped), .files, .audit, .forwards: .granted
            case .life(.ready), .life(.clientSpeaks), .patterns: .outOfTurn
            }

        // It has given its client's place up until the client has sent a request.
        case .unheard:
            switch message {
            case .life(.clientSpeaks), .life(.clientGone), .life(.clientDropped): .granted
            case .life(.ready), .life(.clientUnheard), .files, .audit, .forwards, .patterns: .outOfTurn
            }

        // Its client has sent a request, and is in line for the place.
        case .waitingReady:
            switch message {
            case .life(.clientGone), .life(.clientDropped): .granted
            case .life(.ready), .life(.clientUnheard), .life(.clientSpeaks), .files, .audit, .forwards, .patterns:
                .outOfTurn
            }

        // It answers its client's first request.
        case .refusing:
            switch message {
            case .life(.clientUnheard): entry.mayBeUnheard ? .granted : .outOfTurn
            case .life(.ready), .life(.clientSpeaks), .life(.clientGone), .life(.clientDropped), .files, .audit,
                .forwards, .patterns:
                .outOfTurn
            }

        // Its client has gone, and it may be in the middle of a call. `mayStillSayGone`: the supervisor has seen the client go
        // before its worker could.
        case .releasing:
            switch message {
            case .life(.clientUnheard), .life(.clientSpeaks), .life(.clientGone), .life(.clientDropped):
                entry.mayStillSayGone ? .granted : .outOfTurn
            case .files(.abandon), .audit, .forwards: .granted
            case .files(.open), .files(.create), .files(.commit): .tooLate
            case .life(.ready), .patterns: .outOfTurn
            }
        }
    }
}
