import JSON
import Synchronization
import TestSupport

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
