package import JSON

extension JSONValue {
    /// The member of an object, `null` where there is none.
    package subscript(name: String) -> JSONValue { object?[name] ?? .null }

    /// The code of a JSON-RPC error.
    package var errorCode: JSONValue { self["error"]["code"] }

    /// The names of an object's members, in name order: parsing does not keep an order.
    package var names: [String] { object?.members.map(\.name).sorted() ?? [] }

    /// The elements of an array.
    package var elements: [JSONValue] { if case .array(let values) = self { values } else { [] } }
}
