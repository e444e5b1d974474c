internal import JSON

/// One message from the client, JSON-RPC 2.0.
enum ClientMessage: Equatable {
    /// It has an id and must be answered.
    case request(RequestID, method: String, params: JSONObject)
    /// It has no id.
    case notification(method: String, params: JSONObject)
    /// An answer. It is dropped, because this server asks nothing.
    case response
    /// It is none of these. The error is its answer.
    case invalid(RequestID?, RPCError)

    init(_ value: JSONValue) {
        guard let message = value.object else {
            self = .invalid(nil, .invalidRequest("a message is a JSON object"))
            return
        }
        let id = RequestID(message, "id")
        guard message["jsonrpc"] == "2.0" else {
            self = .invalid(id, .invalidRequest("\"jsonrpc\" must be \"2.0\""))
            return
        }
        guard let method = message["method"] else {
            let isResponse = message["result"] != nil || message["error"] != nil
            self = isResponse ? .response : .invalid(id, .invalidRequest("\"method\" is missing"))
            return
        }
        guard let method = method.string?.bounded else {
            self = .invalid(id, .invalidRequest("\"method\" must be a string, not \(method.typeName)"))
            return
        }
        let params: JSONObject
        switch message["params"] {
        case .none: params = JSONObject()
        case .some(.object(let members)): params = members
        case .some(let other):
            if message["id"] == nil {
                self = .notification(method: method, params: JSONObject())
            } else {
                self = .invalid(id, .invalidParams("\"params\" must be an object, not \(other.typeName)"))
            }
            return
        }
        switch (message["id"], id) {
        case (.none, _): self = .notification(method: method, params: params)
        case (.some, .some(let id)): self = .request(id, method: method, params: params)
        case (.some(let other), .none):
            self = .invalid(nil, .invalidRequest("\"id\" must be a string or a number, not \(other.typeName)"))
        }
    }
}

extension ClientMessage {
    /// The ids of those messages of a batch that must be answered.
    static func ids(of elements: [JSONValue]) -> [RequestID] {
        elements.compactMap { element in
            switch ClientMessage(element) {
            case .request(let id, _, _): id
            case .invalid(let id, _): id
            case .notification, .response: nil
            }
        }
    }
}
