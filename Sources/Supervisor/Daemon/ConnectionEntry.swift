internal import IPC

extension ConnectionTable {
    /// Where a connection is between its beginning and its end.
    enum Phase: Equatable {
        /// The client has sent nothing yet.
        case silent
        /// The client is in line for the place, and nothing of it is read.
        case waiting
        /// The client will not be served. A worker tells it why as soon as one may be started for that.
        case toRefuse
        /// The worker was started and is not ready.
        case starting(WorkerRole)
        /// The worker has not said yet whether the client has sent a whole request.
        case listening
        /// The client has the place, and its worker serves it.
        case serving
        /// The client has a worker and has sent no whole request. It does not have the place and is not in line.
        case unheard
        /// The client has sent a request. It has a worker and is in line for the place.
        case waitingReady
        /// The client went before its worker was ready.
        case departing
        /// The client never had the place and has gone, or cannot be served. The worker ends.
        case leaving
        /// The worker tells the client why it is not served.
        case refusing
        /// The client has gone, and the worker stops what still runs on hosts.
        case releasing
    }

    /// What is known of one connection. `Connection` has its descriptors.
    struct Entry: Equatable {
        let pid: Int32
        /// The absolute path of the client's program; empty if it is not known.
        let program: String
        let since: Int
        var phase: Phase
        /// When the phase will have lasted too long, in milliseconds.
        var deadline: Int?
        /// The client's number in the line; 0 before it has sent something, and while it has sent no whole request.
        var place: UInt64 = 0
        /// Whether it is this client's turn. Its worker may still be starting.
        var hasPlace = false
        /// Whether its worker is one of the few that serve a client in line, with nothing that needs the place.
        var isServedInLine = false
        /// What the client calls itself; nil if it has not said.
        var name: String?
        /// How its worker failed before it was ready. The client cannot be served then.
        var failure: ProgramFailure?
        /// Whether this process has seen the client go and the worker has not reported it yet.
        var mayStillSayGone = false
        /// Whether the worker refuses its client and has sent nothing but `ready`.
        var mayBeUnheard = false
        /// Whether the client is being refused and has sent no request yet.
        var isRefusedUnheard = false

        init(pid: Int32, program: String = "", since: Int, phase: Phase) {
            self.pid = pid
            self.program = program
            self.since = since
            self.phase = phase
        }

        /// Whether a worker serves the client or will serve it.
        var isToServe: Bool {
            switch phase {
            case .serving, .starting(.serve), .listening, .unheard, .waitingReady: true
            case .starting(.refuse), .starting(.check), .silent, .waiting, .toRefuse, .departing, .leaving,
                .refusing, .releasing:
                false
            }
        }

        /// Whether the client is in line for the place.
        var isInLine: Bool {
            guard !hasPlace, place > 0, failure == nil else { return false }
            return switch phase {
            case .waiting, .toRefuse, .starting(.serve), .listening, .waitingReady: true
            case .silent, .starting(.refuse), .starting(.check), .serving, .unheard, .departing, .leaving,
                .refusing, .releasing:
                false
            }
        }

        /// Whether the client is in line and nothing answers it.
        var isUnanswered: Bool {
            guard isInLine, !isServedInLine else { return false }
            return switch phase {
            case .waiting, .toRefuse, .waitingReady: true
            case .silent, .starting, .listening, .serving, .unheard, .departing, .leaving, .refusing, .releasing: false
            }
        }

        /// Whether it is one of those whose workers are bounded by `maximumUnheard`.
        var isBoundedAsUnheard: Bool {
            switch phase {
            case .unheard: true
            case .waitingReady: !isServedInLine
            case .refusing: isRefusedUnheard
            case .silent, .waiting, .toRefuse, .starting, .listening, .serving, .departing, .leaving, .releasing: false
            }
        }

        /// Whether its worker is one of those that tell a client why it is not served.
        var isRefusal: Bool {
            switch phase {
            case .starting(.refuse): true
            case .refusing: !isRefusedUnheard
            case .silent, .waiting, .toRefuse, .starting(.serve), .starting(.check), .listening, .serving, .unheard,
                .waitingReady, .departing, .leaving, .releasing:
                false
            }
        }
    }
}
