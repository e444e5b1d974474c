import CLinux
import Foundation
import Glibc
import Testing

/// An MCP client on the daemon's socket: newline-delimited JSON-RPC 2.0, any number of requests at once.
final class MCPClient: Sendable {
    let connection: LineConnection
    private let inbox: Inbox
    /// What must not be torn down while this client is used.
    private let kept: (any AnyObject & Sendable)?

    init(
        socket path: String, _ transport: LineConnection.Transport = .direct,
        keeping kept: (any AnyObject & Sendable)? = nil
    ) throws {
        let inbox = Inbox()
        self.inbox = inbox
        self.kept = kept
        connection = try LineConnection(
            to: path, transport,
            LineConnection.Handler(line: { inbox.deliver($0) }, end: { inbox.end(error: $0, partial: $1) }))
    }

    deinit { connection.closeAbruptly() }

    // MARK: Requests

    /// `initialize`, then `notifications/initialized`; returns the result.
    @discardableResult
    func initialize(version: String = "2025-11-25", timeout: Duration = defaultTimeout) throws -> JSON {
        let response = try request(
            "initialize",
            [
                "protocolVersion": .string(version), "capabilities": [:],
                "clientInfo": ["name": "csd-tests", "version": "1"],
            ], timeout: timeout)
        guard let result = response["result"] else { throw HarnessError("initialize refused: \(response)") }
        try notify("notifications/initialized")
        return result
    }

    /// Sends a request without waiting for its answer.
    /// - Parameter id: the next whole number if nil.
    func begin(_ method: String, _ params: JSON? = nil, id: JSON? = nil) throws -> PendingResponse {
        let id = inbox.expectResponse(id)
        var message: [String: JSON] = ["jsonrpc": "2.0", "id": id, "method": .string(method)]
        message["params"] = params
        try send(.object(message))
        return PendingResponse(id: id, inbox: inbox)
    }

    /// Sends a request and waits for the whole response object: look into `["result"]` or `["error"]`.
    func request(
        _ method: String, _ params: JSON? = nil, id: JSON? = nil, timeout: Duration = defaultTimeout,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> JSON {
        try begin(method, params, id: id).wait(timeout: timeout, sourceLocation: sourceLocation)
    }

    func beginTool(
        _ name: String, _ arguments: JSON = [:], meta: JSON? = nil, id: JSON? = nil
    ) throws -> PendingResponse {
        var params: [String: JSON] = ["name": .string(name), "arguments": arguments]
        params["_meta"] = meta
        return try begin("tools/call", .object(params), id: id)
    }

    /// Calls a tool.
    /// - Throws: `HarnessError` when the answer is a JSON-RPC error; an `isError` result is returned.
    func callTool(
        _ name: String, _ arguments: JSON = [:], timeout: Duration = defaultTimeout,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> ToolResult {
        try beginTool(name, arguments).waitForTool(timeout: timeout, sourceLocation: sourceLocation)
    }

    func notify(_ method: String, _ params: JSON? = nil) throws {
        var message: [String: JSON] = ["jsonrpc": "2.0", "method": .string(method)]
        message["params"] = params
        try send(.object(message))
    }

    func cancel(_ pending: PendingResponse, reason: String? = nil) throws {
        var params: [String: JSON] = ["requestId": pending.id]
        params["reason"] = reason.map { .string($0) }
        try notify("notifications/cancelled", .object(params))
    }

    // MARK: Lines

    /// One message and its newline.
    func send(_ message: JSON) throws { try send(raw: message.encoded() + [0x0a]) }

    /// Bytes as they are: add the newline yourself.
    func send(raw bytes: Data, timeout: Duration = .seconds(60)) throws {
        try connection.send(bytes, timeout: timeout)
    }

    func send(raw text: String) throws { try send(raw: Data(text.utf8)) }

    /// The next line that answers no open request (errors with id null, notifications, what is no JSON).
    func readLine(
        timeout: Duration = defaultTimeout, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Data {
        try inbox.nextUnmatched(timeout, sourceLocation).raw
    }

    /// As `readLine`, parsed.
    func nextUnmatched(
        timeout: Duration = defaultTimeout, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> JSON {
        let message = try inbox.nextUnmatched(timeout, sourceLocation)
        guard let json = message.json else {
            throw HarnessError(
                "no JSON: \(String(decoding: message.raw.prefix(500), as: UTF8.self))", at: sourceLocation)
        }
        return json
    }

    /// Lines that `readLine` would give without waiting.
    var unmatchedCount: Int { inbox.unmatchedCount }

    /// The reports on the request that asked for them with this token, `_meta: ["progressToken": token]`, so far.
    func progress(_ token: JSON) -> [(progress: Int, total: Int?)] {
        inbox.allUnmatched.compactMap { message in
            guard let params = message.json?["params"], params["progressToken"] == token,
                let progress = params["progress"]?.int
            else { return nil }
            return (progress, params["total"]?.int)
        }
    }

    /// All lines so far that answered no open request.
    var otherCount: Int { inbox.allUnmatched.count }

    // MARK: The end

    /// Waits until the daemon has closed its side; returns what came after the last newline.
    @discardableResult
    func waitForEOF(
        timeout: Duration = defaultTimeout, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Data {
        try inbox.waitForEnd(timeout, sourceLocation)
    }

    var isAtEOF: Bool { inbox.hasEnded }

    /// End of input for the daemon; answers are still read. socat follows half a second later with the other half.
    func halfClose() { connection.closeInput() }

    /// Takes nothing any more: the daemon's writes block once the kernel's buffers are full.
    func pauseReading() { connection.pauseReading() }

    func resumeReading() { connection.resumeReading() }

    /// Gone at once, as a killed client.
    func closeAbruptly() { connection.closeAbruptly() }
}

/// A request that was sent.
struct PendingResponse: Sendable {
    let id: JSON
    fileprivate let inbox: Inbox

    var isAnswered: Bool { inbox.response(id) != nil }

    /// How many lines that answer no open request had come before this answer; nil before it has come.
    var othersBefore: Int? { inbox.countBefore(id) }

    /// The whole response object. May be called again, also after it has thrown.
    func wait(
        timeout: Duration = defaultTimeout, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> JSON {
        try inbox.waitForResponse(id, timeout, sourceLocation)
    }

    func waitForTool(
        timeout: Duration = defaultTimeout, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> ToolResult {
        let response = try wait(timeout: timeout, sourceLocation: sourceLocation)
        guard let result = response["result"] else {
            throw HarnessError("no result but \(response["error"] ?? response)", at: sourceLocation)
        }
        return ToolResult(result: result)
    }
}

/// The result of `tools/call`.
struct ToolResult: Sendable, CustomStringConvertible {
    let result: JSON

    var isError: Bool { result["isError"]?.bool ?? false }

    /// The members of `structuredContent`, empty if there is none.
    var structured: [String: JSON] { result["structuredContent"]?.object ?? [:] }

    /// The text blocks, one after the other.
    var text: String {
        (result["content"]?.array ?? []).compactMap { $0["text"]?.string }.joined(separator: "\n")
    }

    subscript(key: String) -> JSON? { structured[key] }

    var description: String { (try? result.encoded()).map { String(decoding: $0, as: UTF8.self) } ?? "?" }
}
