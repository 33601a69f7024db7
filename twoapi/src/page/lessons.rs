//! What the page offers to do: fault switches, what a reader may expect of them, and commands for a shell. The
//! page learns them from its first event, each text in English and in Chinese.

use std::iter;

use serde_json::{Value, json};

type Text = [&'static str; 2];

/// Each as the page's actions take it, with what comes of it under the probes of `k8s/deployment.yaml`.
const SWITCHES: &[(&str, Text)] = &[
    (
        "readiness?mode=fail&for=20s",
        [
            "Readiness fails for 20 s: the Service stops sending here",
            "就绪态探针失败 20 秒：Service 不再向这里发送请求",
        ],
    ),
    (
        "liveness?mode=fail&for=40s",
        [
            "Liveness fails for 40 s: the kubelet restarts the container",
            "存活态探针失败 40 秒：kubelet 重启容器",
        ],
    ),
    (
        "latency?delay=500ms&for=20s",
        [
            "Responses take 500 ms longer for 20 s",
            "20 秒内每个响应延迟 500 毫秒",
        ],
    ),
    (
        "errors?percent=30&status=500&for=20s",
        [
            "30 % of the responses are a 500 for 20 s",
            "20 秒内 30 % 的响应是 500",
        ],
    ),
    (
        "reset?percent=30&for=20s",
        [
            "30 % of the connections are reset for 20 s",
            "20 秒内 30 % 的连接被重置",
        ],
    ),
    (
        "exit?code=3",
        [
            "The process exits with code 3: the kubelet restarts the container",
            "进程以退出码 3 退出：kubelet 重启容器",
        ],
    ),
];

const EXPECTATIONS: &[Text] = &[
    ["no prediction", "不作预测"],
    ["no request fails", "没有请求失败"],
    ["requests fail", "有请求失败"],
    ["a container restarts", "容器重启"],
    ["the Pod is replaced", "Pod 被替换"],
];

/// The page puts in the namespace and the name of a Pod.
const COMMANDS: &[(Text, &str)] = &[
    (
        [
            "Replace all Pods, as an update does",
            "像更新那样替换所有 Pod",
        ],
        "kubectl rollout restart deployment/chesterdeployment -n {namespace}",
    ),
    (
        ["Update to version 1.1", "更新到 1.1 版本"],
        "make deploy TAG=1.1 NAMESPACE={namespace}",
    ),
    (
        ["Go back to the revision before", "回滚到上一个修订版本"],
        "kubectl rollout undo deployment/chesterdeployment -n {namespace}",
    ),
    (
        ["Scale up", "扩容"],
        "kubectl scale deployment/chesterdeployment -n {namespace} --replicas=6",
    ),
    (
        ["Delete one Pod", "删除一个 Pod"],
        "kubectl delete pod -n {namespace} {pod} --wait=false",
    ),
    (
        [
            "Remove the drain delay: the next replacement loses requests",
            "去掉排空延迟：下次替换会丢失请求",
        ],
        "kubectl patch deployment/chesterdeployment -n {namespace} --patch-file k8s/lessons/no-drain.patch.yaml",
    ),
    (
        [
            "Compare with a twin that has no drain delay",
            "与没有排空延迟的对照 Deployment 比较",
        ],
        "kubectl apply -f k8s/lessons/side-by-side.yaml",
    ),
    (
        ["Replace the Pods of both", "同时替换两者的 Pod"],
        "kubectl rollout restart deployment -n {namespace}",
    ),
];

/// What comes before them if the page isn't in a Pod.
const DEPLOY: (Text, &str) = (
    [
        "The other commands need the pair on a cluster",
        "其余命令需要先把这两个服务部署到集群上",
    ],
    "make deploy",
);

/// Without a cluster there is no Pod to delete either.
pub(super) fn lessons(in_pod: bool) -> Value {
    let commands: Vec<_> = if in_pod {
        COMMANDS.to_vec()
    } else {
        let elsewhere = COMMANDS
            .iter()
            .filter(|(_, command)| !command.contains("{pod}"));
        iter::once(&DEPLOY).chain(elsewhere).copied().collect()
    };
    json!({ "switches": SWITCHES, "expectations": EXPECTATIONS, "commands": commands })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_of_a_pod_the_first_command_deploys_the_pair_and_none_names_a_pod() {
        let commands = |in_pod| lessons(in_pod)["commands"].as_array().unwrap().clone();
        assert_eq!(commands(false)[0][1], "make deploy");
        assert!(
            !commands(false)
                .iter()
                .any(|it| it[1].as_str().unwrap().contains("{pod}"))
        );
        assert_eq!(commands(true).len(), COMMANDS.len());
    }
}
