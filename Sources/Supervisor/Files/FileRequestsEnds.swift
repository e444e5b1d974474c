internal import IPC

/// How brokers end, and what becomes of the requests and files that they had.
extension FileRequests {
    /// Takes notice that a broker could not be started.
    mutating func notStarted(_ broker: Broker, _ failure: LocalFailure, now: Int) -> [Action] {
        brokers[broker] = nil
        if current == broker { current = nil }
        return failWaiting(failure) + proceed(now: now)
    }

    /// Takes notice that the process of a broker has ended.
    mutating func ended(_ broker: Broker, _ how: ProgramFailure, now: Int) -> [Action] {
        killed.remove(broker)
        guard let state = brokers.removeValue(forKey: broker) else { return proceed(now: now) }
        return lose(broker, state, to: nil, how, now: now)
    }

    /// Takes notice that a broker broke the protocol. `reason` is for the log.
    mutating func violated(_ broker: Broker, _ how: ProgramFailure, _ reason: String, now: Int) -> [Action] {
        guard let state = brokers.removeValue(forKey: broker) else { return [] }
        killed.insert(broker)
        return [.kill(broker, reason: reason, place: nil)] + lose(broker, state, to: nil, how, now: now)
    }

    /// Kills brokers whose time is over, and answers requests that have waited too long.
    mutating func advance(now: Int) -> [Action] {
        var actions: [Action] = []
        for (broker, state) in brokers.sorted(by: { $0.key < $1.key }) {
            guard let deadline = state.deadline, deadline <= now else { continue }
            brokers[broker] = nil
            killed.insert(broker)
            let place = place(of: state)
            let reason = "no answer in \(Bound.answer / 1000) s"
            actions.append(.kill(broker, reason: reason, place: place))
            actions += lose(broker, state, to: place, .notReady, now: now)
        }
        let late = waiting.filter { $0.since + Bound.wait <= now }
        waiting.removeAll { $0.since + Bound.wait <= now }
        for request in late { actions += fail(request.id, .waited) }
        return actions + proceed(now: now)
    }

    /// The path that a broker works on.
    private func place(of state: State) -> String? {
        switch state.phase {
        case .starting(let place): place.flatMap { state.policy.place($0) }
        case .idle, .ending: nil
        case .busy(let request):
            switch request.ask {
            case .open(let path), .create(let path): path
            case .commit, .abandon: files[request.handle]?.path
            }
        }
    }

    /// Forgets a broker that has ended or was killed. Its files are lost, and its requests are answered with what is known.
    /// - Parameters:
    ///   - place: the path that did not answer; nil if the broker ended for another reason.
    ///   - how: how it ended.
    private mutating func lose(
        _ broker: Broker, _ state: State, to place: String?, _ how: ProgramFailure, now: Int
    ) -> [Action] {
        let wasCurrent = current == broker
        if wasCurrent { current = nil }
        var actions: [Action] = []
        switch state.phase {
        case .starting(let index): if wasCurrent { actions += failStart(state, index, place, how) }
        case .idle, .ending: break
        case .busy(let request): actions += fail(request, at: place, how)
        }
        for (handle, file) in files where file.holder == broker && file.loss == nil {
            files[handle]?.loss =
                place.map { .lost(path: file.path, silent: $0) } ?? .lostAfter(how, path: file.path)
        }
        for request in state.queue {
            guard let loss = files.removeValue(forKey: request.handle)?.loss else { continue }
            switch request.ask {
            case .commit: actions += fail(request.id, loss)
            case .open, .create, .abandon: break
            }
        }
        return actions + proceed(now: now)
    }

    /// Answers the request that a broker had when it hung or ended.
    private mutating func fail(_ request: Request, at place: String?, _ how: ProgramFailure) -> [Action] {
        switch request.ask {
        case .open(let path), .create(let path):
            guard place != nil else { return fail(request.id, .ended(how)) }
            return fail(request.id, .silent(path: path)) + failNeighbours(of: path)
        case .commit:
            guard let path = files.removeValue(forKey: request.handle)?.path else { return [] }
            return fail(
                request.id, place == nil ? .commitUnknownAfter(how, path: path) : .commitUnknown(path: path))
        case .abandon:
            files[request.handle] = nil
            return []
        }
    }

    /// Gives the waiting requests for the same directory the same answer, because the directory did not answer while they
    /// waited.
    private mutating func failNeighbours(of path: String) -> [Action] {
        failWaiting { PathComponents.areNeighbours($0, path) }
    }

    /// Answers the waiting requests for such paths that their file system does not answer.
    private mutating func failWaiting(_ isSilent: (String) -> Bool) -> [Action] {
        var actions: [Action] = []
        var others: [Request] = []
        for request in waiting {
            if let path = request.path, isSilent(path) {
                actions += fail(request.id, .silent(path: path))
            } else {
                others.append(request)
            }
        }
        waiting = others
        return actions
    }

    /// Answers the waiting requests whose new broker did not get ready.
    private mutating func failStart(_ state: State, _ index: UInt32?, _ place: String?, _ how: ProgramFailure)
        -> [Action]
    {
        guard let place else { return failWaiting(.unavailable(how)) }
        guard let index = index.map(Int.init), state.roots.indices.contains(index) else {
            // The place is one of the daemon's own files or the home directory. Without these no path can be judged.
            return failWaiting(.silent(path: place))
        }
        silentRoots.insert(index)
        return failWaiting { PathComponents.isInside($0, place) }
    }

    mutating func failWaiting(_ failure: LocalFailure) -> [Action] {
        defer { waiting = [] }
        return waiting.flatMap { fail($0.id, failure) }
    }
}
