//! The server's and the pods' sentences in Chinese, for a page that is read in it. What isn't known stays English.

use axum::http::{HeaderMap, header::ACCEPT_LANGUAGE};

/// Each `{}` is a word, and `{0}` and `{1}` are where the words go.
const SENTENCES: &[(&str, &str)] = &[
    ("done on {} of {} Pods", "已在 {1} 个 Pod 中的 {0} 个上完成"),
    (", fault switches are off on {}", "，{0} 个未开启故障开关"),
    (
        "fault switches are off there (FAULTS=true turns them on)",
        "未开启故障开关（FAULTS=true 可开启）",
    ),
    (
        "fault switches are not allowed here: start the service with FAULTS=true (or --faults)",
        "此处不允许故障开关：请以 FAULTS=true（或 --faults）启动服务",
    ),
    (", but ", "，但 "),
    (" (and {} more)", "（另有 {0} 个）"),
    (" doesn't answer", " 无响应"),
    (" can't be reached", " 无法访问"),
    (" answered {} ", " 响应 {0} "),
    ("there are no Pods", "没有 Pod"),
    ("there is no Pod {} there", "没有 Pod {0}"),
    ("starting, {} s to go", "正在启动，还需 {0} 秒"),
    (
        "failing, as the fault switch {} says",
        "故障开关 {0} 使其失败",
    ),
    (
        "resetting connections, as the fault switch {} says",
        "故障开关 {0} 重置连接",
    ),
    (
        "answering {} later, as the fault switch {} says",
        "故障开关 {1} 使响应延迟 {0}",
    ),
    ("no answer", "无响应"),
    ("stopping", "正在停止"),
    ("no requests to {}: ", "没有发往 {0} 的请求："),
    ("the name {} can't be resolved", "无法解析名称 {0}"),
    ("the name {} isn't resolved in time", "解析名称 {0} 超时"),
    (
        "{} Pods have been found, and {} of them are shown",
        "发现 {0} 个 Pod，显示其中 {1} 个",
    ),
    (
        "actions are turned off by PAGE_ACTIONS=false",
        "操作已被 PAGE_ACTIONS=false 关闭",
    ),
    (
        "{} viewers watch already, which is as many as MAX_VIEWERS allows",
        "已有 {0} 个观看者，达到 MAX_VIEWERS 的上限",
    ),
    ("; ", "；"),
    (": ", "："),
];

/// A sentence in Chinese.
pub(super) fn chinese(sentence: &str) -> String {
    let mut text = sentence.to_owned();
    for (english, chinese) in SENTENCES {
        let mut done = String::new();
        while let Some((at, end, words)) = find(&text, english) {
            done += &text[..at];
            let filled = words.iter().enumerate();
            done += &filled.fold((*chinese).to_owned(), |filled, (n, word)| {
                filled.replace(&format!("{{{n}}}"), word)
            });
            text.drain(..end);
        }
        text.insert_str(0, &done);
    }
    text
}

/// A sentence in the language that a client asks for.
pub(super) fn spoken(headers: &HeaderMap, sentence: String) -> String {
    if prefers_chinese(headers) {
        chinese(&sentence)
    } else {
        sentence
    }
}

/// Whether Chinese is the first language that a client names. Browsers name the preferred one first.
pub(super) fn prefers_chinese(headers: &HeaderMap) -> bool {
    let language = headers.get(ACCEPT_LANGUAGE);
    language.is_some_and(|language| {
        language
            .as_bytes()
            .get(..2)
            .is_some_and(|first| first.eq_ignore_ascii_case(b"zh"))
    })
}

/// Where a pattern stands first, and the words in it.
fn find(text: &str, pattern: &str) -> Option<(usize, usize, Vec<String>)> {
    let is_word = |c: &char| !c.is_whitespace() && !";,()".contains(*c);
    let pieces: Vec<&str> = pattern.split("{}").collect();
    let starts = text.char_indices().map(|(at, _)| at);
    starts.into_iter().find_map(|start| {
        let mut end = start
            + text[start..]
                .strip_prefix(pieces[0])
                .map(|_| pieces[0].len())?;
        let mut words = Vec::new();
        for piece in &pieces[1..] {
            let word: String = text[end..].chars().take_while(is_word).collect();
            // A word before a colon doesn't end with it.
            let word = word
                .strip_suffix(':')
                .filter(|_| piece.starts_with(':'))
                .unwrap_or(&word);
            let after = text[end + word.len()..].strip_prefix(piece)?;
            if word.is_empty() {
                return None;
            }
            words.push(word.to_owned());
            end = text.len() - after.len();
        }
        Some((start, end, words))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_chinese_with_their_words_and_figures() {
        for (english, expected) in [
            (
                "oneapi: done on 2 of 3 Pods, but 10.0.0.7:5000 doesn't answer (and 1 more); twoapi: done on 3 of 3 Pods",
                "oneapi：已在 3 个 Pod 中的 2 个上完成，但 10.0.0.7:5000 无响应（另有 1 个）；twoapi：已在 3 个 Pod 中的 3 个上完成",
            ),
            (
                "oneapi: failing, as the fault switch readiness says",
                "oneapi：故障开关 readiness 使其失败",
            ),
            (
                "twoapi: starting, 3.0 s to go",
                "twoapi：正在启动，还需 3.0 秒",
            ),
            (
                "no requests to http://a:80/b: the name a can't be resolved: no such host",
                "没有发往 http://a:80/b 的请求：无法解析名称 a：no such host",
            ),
            (
                "40 viewers watch already, which is as many as MAX_VIEWERS allows",
                "已有 40 个观看者，达到 MAX_VIEWERS 的上限",
            ),
            ("readiness 503", "readiness 503"),
            ("", ""),
        ] {
            assert_eq!(chinese(english), expected);
        }
    }

    #[test]
    fn who_asks_for_chinese_gets_it() {
        let said = |language: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, language.parse().unwrap());
            spoken(&headers, "there are no Pods".to_owned())
        };
        assert_eq!(said("zh"), "没有 Pod");
        assert_eq!(said("zh-CN,en;q=0.5"), "没有 Pod");
        assert_eq!(said("en-US,zh;q=0.5"), "there are no Pods");
    }
}
