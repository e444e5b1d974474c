internal import IPC
internal import SSH
internal import Synchronization

extension SSHChannel: ShellPipe {}

/// The files of a host without an SFTP subsystem. It takes the same requests, and one POSIX shell, which stays open,
/// carries them out one after the other. Content is written through a session of its own for each file, because a shell
/// knows where content ends only by the end of its input.
///
/// There are no open files here: a request is about whatever stands at the path when it comes.
final class ShellTransport: SFTPTransport {
    /// Opens a session of the host's. `ended` gets how it ended.
    typealias Opener =
        @Sendable (
            _ session: ShellSession, _ receive: @escaping @Sendable (ArraySlice<UInt8>) -> Void,
            _ ended: @escaping @Sendable (SessionEnd) -> Void
        ) async throws(SFTPError) -> any ShellPipe

    private typealias Take = @Sendable (ShellAnswer) -> Void

    private enum Handle {
        case reading([UInt8])
        case writing(AsyncStream<(SFTPRequest, UInt32)>.Continuation)
        case directory(ShellListing)
    }

    private struct State {
        var pipe: (any ShellPipe)?
        var framer: ShellFramer
        /// Calls that are not answered yet, in order.
        var calls: [(number: Int, hasParts: Bool, take: Take)] = []
        var nextNumber = 0
        var handles: [[UInt8]: Handle] = [:]
        var nextHandle: UInt32 = 1
        var writers: [UInt32: ShellWriter] = [:]
        /// When a session for content last did not begin in time.
        var heldUp: ContinuousClock.Instant?
        var ended = false
    }

    /// The version and the extensions of SFTP that the shell can do.
    private static let version = SFTPVersion(version: 3, extensions: [.posixRename, .hardlink, .statvfs])
    /// A READ starts a process on the host, so it may be long. A WRITE is answered when it is on its way, so it is
    /// short enough for a slow line to take it within the patience.
    private static let limits = SFTPClient.Limits(readLength: 512 << 10, writeLength: 32 << 10)

    private let client: SFTPClient
    private let opener: Opener
    private let nonce = Nonce.make()
    private let state: Mutex<State>

    /// Starts the shell.
    static func open(_ client: SFTPClient, _ opener: @escaping Opener) async throws(SFTPError) -> ShellTransport {
        let transport = ShellTransport(client, opener)
        let pipe = try await opener(
            .requests, { transport.receive($0) }, { transport.end($0) })
        transport.state.withLock { if !$0.ended { $0.pipe = pipe } }
        return transport
    }

    private init(_ client: SFTPClient, _ opener: @escaping Opener) {
        self.client = client
        self.opener = opener
        state = Mutex(State(framer: ShellFramer(nonce: nonce)))
    }

    func begin() {
        call({ _ in Array(ShellScript.functions(nonce: self.nonce).utf8) }) { _ in
            self.client.opened(Self.version, Self.limits)
        }
    }

    func close() { state.withLock { $0.pipe }?.close() }

    var said: String {
        let (pipe, text) = state.withLock { ($0.pipe, $0.framer.text) }
        return [String(decoding: text, as: UTF8.self), pipe?.said ?? ""].filter { !$0.isEmpty }.joined(separator: "\n")
    }

    // MARK: Calls

    /// Queues a call under the next number.
    private func call(_ line: (Int) -> [UInt8]?, hasParts: Bool = false, _ take: @escaping Take) {
        let done = state.withLock { state -> Bool in
            guard !state.ended, let pipe = state.pipe, let line = line(state.nextNumber) else { return false }
            state.calls.append((state.nextNumber, hasParts, take))
            state.nextNumber += 1
            // The lock is held, so that the lines go out in the order of their numbers.
            pipe.send(line) {}
            return true
        }
        if !done { take(ShellAnswer(number: 0, status: .unsupported, payload: [])) }
    }

    private func receive(_ chunk: ArraySlice<UInt8>) {
        client.arrived(chunk.count)
        state.withLock { $0.framer.append(chunk) }
        while true {
            let next = state.withLock { state -> Result<(ShellAnswer, Take)?, Malformed> in
                do throws(Malformed) {
                    guard !state.ended, let answer = try state.framer.next() else { return .success(nil) }
                    guard let call = state.calls.first, call.number == answer.number,
                        answer.status != nil || call.hasParts
                    else {
                        throw Malformed("an answer out of turn")
                    }
                    if answer.status != nil { state.calls.removeFirst() }
                    return .success((answer, call.take))
                } catch {
                    return .failure(error)
                }
            }
            switch next {
            case .success(.none): return
            case .success(.some(let (answer, take))): take(answer)
            case .failure(let error): return client.broken(error.detail)
            }
        }
    }

    private func end(_ end: SessionEnd) {
        client.transportEnded(end)
        let (calls, handles, writers) = state.withLock { state in
            // The pipe keeps this transport alive, so the transport lets it go.
            defer { (state.calls, state.handles, state.writers, state.pipe, state.ended) = ([], [:], [:], nil, true) }
            return (state.calls, state.handles.values, state.writers.values)
        }
        for writer in writers { writer.close() }
        for case .writing(let operations) in handles { operations.finish() }
        for call in calls { call.take(ShellAnswer(number: call.number, status: .connectionLost, payload: [])) }
    }

    // MARK: Requests

    func send(_ request: SFTPRequest, id: UInt32, moved: @escaping @Sendable (Int) -> Void) {
        switch request {
        case .read(let handle, _, _), .write(let handle, _, _), .fstat(let handle), .fsetstat(let handle, _),
            .readdir(let handle), .close(let handle):
            let found = state.withLock { state -> Handle? in
                if case .close = request { return state.handles.removeValue(forKey: handle) }
                return state.handles[handle]
            }
            switch found {
            case .none: reply(.status(.failure, "no such handle"), id)
            case .some(.reading(let path)): perform(request, path, id) {}
            case .some(.directory(let listing)): list(request, listing, id)
            case .some(.writing(let operations)):
                operations.yield((request, id))
                if case .close = request { operations.finish() }
            }
        case .open(let path, let flags, _):
            // The sessions for content are opened for the call that opens the file.
            let inHand = CallInHand.current
            call({ ShellScript.call($0, request) }) { answer in
                guard self.isDone(answer, id) else { return }
                self.reply(
                    .handle(flags.contains(.write) ? self.write(path, for: inHand) : self.keep(.reading(path))), id)
            }
        case .opendir(let path, let temporaries):
            call({ ShellScript.call($0, request) }) { answer in
                guard self.isDone(answer, id) else { return }
                self.reply(.handle(self.keep(.directory(ShellListing(path: path, temporaries: temporaries)))), id)
            }
        default: perform(request, request.path, id) {}
        }
    }

    private func reply(_ reply: SFTPReply, _ id: UInt32) { client.receive(reply, id: id) }

    /// Returns whether a call was carried out. If not, it answers the request with the failure.
    private func isDone(_ answer: ShellAnswer, _ id: UInt32) -> Bool {
        if answer.status == .ok { return true }
        reply(.status(answer.status ?? .failure, answer.text), id)
        return false
    }

    private func keep(_ handle: Handle) -> [UInt8] {
        state.withLock { state in
            let bytes = withUnsafeBytes(of: state.nextHandle.bigEndian) { Array($0) }
            state.nextHandle &+= 1
            state.handles[bytes] = handle
            return bytes
        }
    }

    /// Carries out a request by one call, or by some calls one after the other.
    private func perform(_ request: SFTPRequest, _ path: [UInt8], _ id: UInt32, then: @escaping @Sendable () -> Void) {
        switch request {
        case .close:
            reply(.status(.ok, ""), id)
            then()
        case .read(_, let offset, let length): read(path, offset, length, id, then)
        case .fsetstat(_, let attributes): set(ShellScript.settings(attributes, of: path)[...], id, then)
        default:
            var question = request
            if case .fstat = request { question = .stat(path) }
            call({ [question] in ShellScript.call($0, question) }) { answer in
                if self.isDone(answer, id) { self.reply(Self.result(answer, of: request), id) }
                then()
            }
        }
    }

    private static func result(_ answer: ShellAnswer, of request: SFTPRequest) -> SFTPReply {
        switch request.answer {
        case .attributes:
            let text = String(decoding: answer.payload.prefix(2 * SFTPReply.longestPath), as: UTF8.self)
            let line = text.split(whereSeparator: \.isNewline).first ?? ""
            return ShellResult.attributes(line).map { .attributes($0) }
                ?? .status(.failure, "no attributes: \(answer.text)")
        case .name: return .names([SFTPName(name: Array(answer.payload), attributes: SFTPAttributes())])
        case .extended:
            let text = String(decoding: answer.payload.suffix(2 * SFTPReply.longestPath), as: UTF8.self)
            return ShellResult.space(text) ?? .status(.failure, answer.text)
        case .status, .handle, .data, .names: return .status(.ok, "")
        }
    }

    private func read(
        _ path: [UInt8], _ offset: UInt64, _ length: Int, _ id: UInt32, _ then: @escaping @Sendable () -> Void
    ) {
        let first = offset / ShellScript.block
        let skip = Int(offset % ShellScript.block)
        let blocks = (UInt64(skip + length) + ShellScript.block - 1) / ShellScript.block
        call({ ShellScript.read($0, path, firstBlock: first, blocks: blocks) }) { answer in
            if answer.status == .ok {
                // A slice would keep everything in memory that had come with it.
                let data = Array(answer.payload.dropFirst(skip).prefix(length))[...]
                self.reply(data.isEmpty ? .status(.endOfFile, "") : .data(data), id)
            } else {
                // Bytes that came before the error are content, not a message.
                self.reply(.status(answer.status ?? .failure, ""), id)
            }
            then()
        }
    }

    private func set(_ rest: ArraySlice<ShellScript.Line>, _ id: UInt32, _ then: @escaping @Sendable () -> Void) {
        var rest = rest
        guard let step = rest.popFirst() else {
            reply(.status(.ok, ""), id)
            return then()
        }
        call({ step($0) }) { [rest] answer in
            guard self.isDone(answer, id) else { return then() }
            self.set(rest, id, then)
        }
    }

    // MARK: Directories

    private func list(_ request: SFTPRequest, _ listing: ShellListing, _ id: UInt32) {
        guard case .readdir = request else { return reply(.status(.ok, ""), id) }
        let (answer, begins) = listing.ask(id)
        if let answer { reply(answer, id) }
        guard begins else { return }
        call({ ShellScript.list($0, listing.path, temporaries: listing.temporaries) }, hasParts: true) { answer in
            do throws(Malformed) {
                for (id, reply) in try listing.take(answer) { self.reply(reply, id) }
            } catch {
                self.client.broken(error.detail)
            }
        }
    }

    // MARK: Writing

    private func write(_ path: [UInt8], for inHand: CallInHand?) -> [UInt8] {
        let (operations, continuation) = AsyncStream.makeStream(of: (SFTPRequest, UInt32).self)
        let handle = keep(.writing(continuation))
        Task { await CallInHand.$current.withValue(inHand) { await write(path, operations) } }
        return handle
    }

    /// Carries out the requests on a file that is open for writing, in order. A WRITE that goes on where the last one
    /// ended goes through the same session; any other request waits until that session has written all.
    private func write(_ path: [UInt8], _ operations: AsyncStream<(SFTPRequest, UInt32)>) async {
        var writer: ShellWriter?
        var failure: ShellWriter.Failure?
        for await (request, id) in operations {
            guard case .write(_, let offset, let data) = request else {
                if failure == nil { failure = await writer?.finish() } else { writer?.close() }
                writer = nil
                if let told = failure {
                    failure = nil
                    if !told.isTold {
                        tell(told, id)
                        continue
                    }
                }
                await withCheckedContinuation { continuation in
                    perform(request, path, id) { continuation.resume() }
                }
                continue
            }
            if failure == nil, writer?.position != offset {
                failure = await writer?.finish()
                writer = nil
                if failure == nil {
                    switch await open(path, offset) {
                    case .success(let opened): writer = opened
                    case .failure(let error): failure = error
                    }
                }
            }
            guard let writer, failure == nil else {
                failure?.isTold = true
                if let failure { tell(failure, id) } else { reply(.status(.failure, ""), id) }
                continue
            }
            await writer.send(Array(data))
            reply(.status(.ok, ""), id)
        }
        writer?.close()
    }

    /// Why there is no session for content, as the rest of a sentence.
    private static func words(_ error: SFTPError) -> String {
        switch error {
        case .noSession: "no session was free for its content; limits.sessions_per_host must be 2 or more"
        case .spawn(let detail): "ssh cannot run here: \(detail)"
        case .notOpened(let detail): "the ControlMaster opened no session for its content (\(detail))"
        default: "no session could be opened for its content"
        }
    }

    private func tell(_ failure: ShellWriter.Failure, _ id: UInt32) {
        if let error = failure.error {
            client.refuse(id, error)
        } else {
            reply(.status(failure.status, failure.text), id)
        }
    }

    /// How long a session for content may take to begin. It is less than the client's patience, so that the client does not give
    /// up the connection first. If a session did not begin at all less than a minute ago, the next one gets less time.
    private var beginning: Duration {
        let heldUp = state.withLock { $0.heldUp }
        let isKnown = heldUp.map { .now - $0 < .seconds(60) } ?? false
        return isKnown ? client.patience / 8 : client.patience * 0.8
    }

    private func open(_ path: [UInt8], _ offset: UInt64) async -> Result<ShellWriter, ShellWriter.Failure> {
        do throws(SFTPError) {
            let writer = try await ShellWriter.open(path, offset: offset, within: beginning, opener)
            state.withLock { $0.heldUp = nil }
            let ended = state.withLock { state -> Bool in
                if !state.ended { state.writers[state.nextHandle] = writer }
                state.nextHandle &+= 1
                state.writers = state.writers.filter { !$0.value.isOver }
                return state.ended
            }
            if ended { writer.close() }
            return .success(writer)
        } catch .notTaken(let limit, let seen) {
            if limit != nil { state.withLock { $0.heldUp = .now } }
            return .failure(ShellWriter.Failure(error: .notTaken(limit, seen: seen), status: .noConnection, text: ""))
        } catch {
            return .failure(ShellWriter.Failure(error: nil, status: .failure, text: Self.words(error)))
        }
    }
}
