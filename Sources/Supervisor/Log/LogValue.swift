/// A value of a log field.
enum LogValue: ExpressibleByStringLiteral, ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral {
    case text(String)
    case number(Int)
    case list([String])

    init(stringLiteral value: String) { self = .text(value) }
    init(integerLiteral value: Int) { self = .number(value) }

    /// As JSON.
    var json: String {
        switch self {
        case .text(let text): LogText.quoted(text)
        case .number(let number): String(number)
        case .list(let texts): "[\(texts.map(LogText.quoted).joined(separator: ","))]"
        }
    }
}
