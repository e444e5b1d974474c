internal import JSON

/// Serves a client for whom there is no place: one error, the answer to its first request.
public enum RefusedClient {
    /// The line that answers this one, nil where it asks for nothing (a notification, a response).
    public static func answer(to line: [UInt8], reason: String) -> [UInt8]? {
        let value: JSONValue
        do throws(JSONMistake) {
            value = try JSONReader.read(line)
        } catch {
            let id = UnreadableLine(line, most: 1).ids.first
            return JSONWriter.bytes(of: Outgoing.error(id, id == nil ? .parseError(error) : .busy(reason)))
        }
        switch ClientMessage(value) {
        case .request(let id, _, _): return JSONWriter.bytes(of: Outgoing.error(id, .busy(reason)))
        case .invalid(let id, _): return JSONWriter.bytes(of: Outgoing.error(id, .busy(reason)))
        case .notification, .response: return nil
        }
    }

    /// Whether a line is a whole request.
    public static func isRequest(_ line: [UInt8]) -> Bool {
        guard let value = JSONValue.parse(line), case .request = ClientMessage(value) else { return false }
        return true
    }

    /// The line that answers one that was too long to be kept.
    public static func answer(to line: UnreadableLine, reason: String) -> [UInt8] {
        JSONWriter.bytes(of: Outgoing.error(line.ids.first, .busy(reason)))
    }
}
