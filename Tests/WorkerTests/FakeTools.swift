import IPC
import Synchronization
import Tools

@testable import MCP

/// Tools for the protocol's tests. `hold` runs until `release` is called with its `key`, or its task is cancelled.
final class FakeTools: ToolSet {
    /// What a call of `hold` has come to.
    enum Event: Equatable, Sendable {
        case started(String)
        case cancelled(String)
    }

    private struct State {
        var held: [String: CheckedContinuation<Void, Never>] = [:]
        var cancelled: Set<String> = []
        var hidden: Set<String> = []
    }

    let events: AsyncStream<Event>
    private let continuation: AsyncStream<Event>.Continuation
    private let state = Mutex(State())

    init() {
        (events, continuation) = AsyncStream.makeStream(of: Event.self)
    }

    let instructions = "Use them well."

    var tools: [ToolDescription] {
        ["echo", "fail", "gone", "hold"].map { name in
            ToolDescription(
                name: name, title: name.uppercased(), description: "It is \(name).", inputSchema: ["type": "object"],
                outputSchema: ["type": "object", "properties": [:]], readOnly: name == "echo",
                destructive: name == "fail",
                idempotent: false)
        }
    }

    func whyOff(_ name: String) -> String? { name == "gone" ? "its key is false" : nil }

    func call(_ name: String, arguments: JSONObject, progress: Progress) async -> ToolResult? {
        switch name {
        case "echo":
            // A second report is too soon and not above the first.
            for _ in 0..<2 { progress.report(1, total: 2, message: "half") }
            return .success(arguments)
        case "fail": return .failure("It did not work; do it better.")
        case "hold":
            let key = arguments["key"]?.string ?? ""
            await hold(key)
            return .success(["key": .string(key)])
        default: return nil
        }
    }

    private func hold(_ key: String) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { waiting in
                let wasCancelled = state.withLock { state in
                    if state.cancelled.contains(key) { return true }
                    state.held[key] = waiting
                    return false
                }
                continuation.yield(.started(key))
                if wasCancelled { waiting.resume() }
            }
        } onCancel: {
            let waiting = state.withLock { state in
                state.cancelled.insert(key)
                return state.held.removeValue(forKey: key)
            }
            continuation.yield(.cancelled(key))
            waiting?.resume()
        }
    }

    /// No more events.
    func finishEvents() { continuation.finish() }

    func release(_ key: String) {
        state.withLock { $0.held.removeValue(forKey: key) }?.resume()
    }
}

/// Keeps what a server writes.
final class RecordingWriter: LineWriter {
    private let lines = Mutex<[[UInt8]]>([])
    private let continuation: AsyncStream<JSONValue>.Continuation
    /// Called with each message that a call's task writes, while it is being written.
    private let during: Mutex<(@Sendable (JSONValue) -> Void)?> = Mutex(nil)
    let answers: AsyncStream<JSONValue>

    init() {
        (answers, continuation) = AsyncStream.makeStream(of: JSONValue.self)
    }

    /// All messages so far, in the order of writing.
    var bytes: [[UInt8]] { lines.withLock { $0 } }

    /// The same, parsed.
    var all: [JSONValue] { lines.withLock { $0.map { JSONValue.parse($0) ?? "unparsable" } } }

    func whileWriting(_ body: @escaping @Sendable (JSONValue) -> Void) { during.withLock { $0 = body } }

    func post(_ message: [UInt8]) {
        lines.withLock { $0.append(message) }
        continuation.yield(JSONValue.parse(message) ?? "unparsable")
    }

    func settle() {}

    func offer(_ message: [UInt8]) { write(message) }

    /// From now on a call's answer waits until the client `takes` one.
    func stopReading() { taking.withLock { $0.isReading = false } }

    /// The client takes so many of the answers that wait, now or when they come.
    func take(_ count: Int) {
        for _ in 0..<count {
            let next = taking.withLock { taking -> CheckedContinuation<Void, Never>? in
                guard taking.waiting.isEmpty else { return taking.waiting.removeFirst() }
                taking.taken += 1
                return nil
            }
            next?.resume()
        }
    }

    /// Answers that the client has not taken.
    var unread: Int { taking.withLock { $0.waiting.count } }

    private struct Taking {
        var isReading = true
        var taken = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let taking = Mutex(Taking())

    private func waitForClient() async {
        await withCheckedContinuation { continuation in
            let isTaken = taking.withLock { taking in
                if taking.isReading { return true }
                if taking.taken > 0 {
                    taking.taken -= 1
                    return true
                }
                taking.waiting.append(continuation)
                return false
            }
            if isTaken { continuation.resume() }
        }
    }

    func writeLater(_ make: @escaping @Sendable () -> [UInt8]) async {
        await waitForClient()
        let message = make()
        write(message)
        during.withLock { $0 }?(JSONValue.parse(message) ?? "unparsable")
    }
}

/// A server over `FakeTools`, with what a client sees of it.
struct Conversation {
    let tools = FakeTools()
    let writer = RecordingWriter()
    let server: Server<FakeTools>

    /// Opened with this revision; nil leaves it unopened.
    init(_ revision: String? = "2025-11-25") {
        server = Server(name: "test", version: "1", tools: tools, writer: writer)
        if let revision {
            say(#"{"jsonrpc":"2.0","id":"open","method":"initialize","params":{"protocolVersion":"\#(revision)"}}"#)
        }
    }

    /// A request of 2026-07-28.
    func ask(_ id: String, _ method: String, _ params: String = "", meta: String = "") {
        say(
            #"{"jsonrpc":"2.0","id":\#(id),"method":"\#(method)","params":{\#(params)\#(params.isEmpty ? "" : ",")"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}\#(meta)}}}"#
        )
    }

    func say(_ line: String) { server.receive(Array(line.utf8)) }

    func call(_ id: String, _ tool: String, _ arguments: String = "{}") {
        say(
            #"{"jsonrpc":"2.0","id":\#(id),"method":"tools/call","params":{"name":"\#(tool)","arguments":\#(arguments)}}"#
        )
    }

    func cancel(_ id: String) {
        say(#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":\#(id)}}"#)
    }

    /// The messages after the answer to `initialize`.
    var answers: [JSONValue] { Array(writer.all.dropFirst()) }
}

extension JSONValue {
    /// The member of an object, `null` where there is none.
    subscript(name: String) -> JSONValue { object?[name] ?? .null }

    /// The code of a JSON-RPC error.
    var errorCode: JSONValue { self["error"]["code"] }

    /// The names of an object's members, in name order: parsing does not keep an order.
    var names: [String] { object?.members.map(\.name).sorted() ?? [] }

    /// The elements of an array.
    var elements: [JSONValue] { if case .array(let values) = self { values } else { [] } }
}

/// For the brokers of tests that are about local files.
extension ForwardBroker {
    func ask(forward request: ToSupervisor) async -> ToWorker { .forwardRefused(reason: "no forwards here") }
}

/// A supervisor that opens and forwards nothing.
struct NoLocalFiles: LocalFileBroker, ForwardBroker {
    func ask(_ request: ToSupervisor) async -> LocalAnswer { .refused("no local files here", rule: "") }
    func abandon(handle: UInt32) {}
}
